"""ctseg on a GPU: cost of a training step and of a scan, minutes to a Dice, both against MONAI, and repeatability.

    python benchmarks/gpu.py OUT [--data DATA] [--phantoms 24] [--minutes 1.5]
    python benchmarks/gpu.py OUT --device cpu --small

The default sizes fit into eight minutes on a bare machine. DATA contains CASE/image.nii.gz and CASE/label.nii.gz
(label 1), and --study is the study file with the training settings for DATA; the built-in phantoms are resampled to
--spacing. In each data set the last --validation cases validate and the others train. The functions of ctseg prepare
both once, under OUT. Each part adds its results to OUT/gpu.json:

* `infer`: voxels to probabilities in the loops of ctseg and MONAI, with one network and the same windows, 16 at once;
  and a scan of --scan voxels from the image file to the written labels in a warm process, with the time of each stage,
  in float32, TF32 and bfloat16.
* `steps`: patches per second of whole training steps, GPU utilisation (by the driver: share of time in which any kernel
  runs) and peak memory, for each of --batches, in bfloat16, TF32 and float32, with the cases on the GPU and mapped from
  disk. Blocks of steps of all variants are interleaved, and medians compared; the peak memory is measured for each
  variant alone.
* `host`: CPU time and number of operations to make a batch.
* `dice`: minutes of training until the validation Dice reaches each of --goals, for ctseg and for the recipe of MONAI
  (see monai_fast.py), one after the other on the same prepared cases. Both continue until --minutes, so that a later
  collapse is visible; the learning rate of ctseg falls over this time. The results are the curve, the best and the last
  Dice. The clock counts only training: no preparation, caching or validation.
* `repeat`: whether two short trainings with one seed end in bitwise identical weights, and the time of a step, in three
  modes: `free` (torch may use any algorithm), `as trained` (deterministic where torch can, as ctseg trains), and
  `strict` (fails where torch cannot).
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as in training; CUDA reads it when it starts

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_infer import measure_infer  # noqa: E402
from benchmarks.gpu_training import clear, measure_dice, measure_host, measure_repeat, measure_steps  # noqa: E402
from benchmarks.prepared_cases import data_sets  # noqa: E402
from ctseg.files import read_json, write_json  # noqa: E402
from ctseg.hardware import processor_name  # noqa: E402

MEASURES = {
    "infer": measure_infer,
    "steps": measure_steps,
    "host": measure_host,
    "dice": measure_dice,
    "repeat": measure_repeat,
}
SMALL: dict[str, Any] = {"patch": 32, "channels": [8, 16, 32], "batch": 2, "batches": [2, 4], "repeat_steps": 3}
SMALL |= {"phantoms": 3, "spacing": 3.0, "most": 3, "validation": 1, "workers": 1, "scan": [40, 96, 96]}
SMALL |= {"rounds": 1, "block": 0.3, "minutes": 0.2, "every": 4.0, "goals": [0.01, 0.8], "loop": [48, 48, 64]}


def parse() -> argparse.Namespace:
    """Parsed command line; --small changes the defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "soft_tissue_sarcoma.yaml")
    parser.add_argument("--most", type=int, help="use the first cases of DATA alone")
    parser.add_argument("--phantoms", type=int, default=24, help="how many; 0 for none")
    parser.add_argument("--spacing", type=float, default=1.0, help="of the phantoms, in mm")
    parser.add_argument("--validation", type=int, default=6, help="how many of the last cases validate")
    parser.add_argument("--parts", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--patch", type=int, default=96, help="in `steps`, and the most that a study may have")
    parser.add_argument("--batches", type=int, nargs="+", default=[2, 8], help="in `steps`")
    parser.add_argument("--batch", type=int, default=8, help="of ctseg in `dice` and `repeat`")
    parser.add_argument("--architecture", default="unet", help="of ctseg's network; auto takes the planned one")
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="of ctseg's network")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", type=float, default=2.0, help="seconds of steps of a variant in a row")
    parser.add_argument("--minutes", type=float, default=1.5, help="of training, for each program and data set")
    parser.add_argument("--every", type=float, default=10.0, help="seconds of training between validations")
    parser.add_argument("--goals", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8, 0.9])
    parser.add_argument("--loop", type=int, nargs=3, default=[250, 205, 205], help="voxels z, y, x of `infer`'s loop")
    parser.add_argument("--scan", type=int, nargs=3, default=[400, 512, 512], help="voxels z, y, x of `infer`'s scan")
    parser.add_argument("--repeat-steps", type=int, default=50)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that prepare cases")
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda", 0))
    parser.add_argument("--small", action="store_true", help="sizes that show in two minutes that it works")
    if parser.parse_known_args()[0].small:
        parser.set_defaults(**SMALL)
    given = parser.parse_args()
    if given.device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA GPU; --device cpu --small shows that all parts run")
    return given


def main() -> None:
    """Prepare the cases and measure the parts in --parts."""
    given = parse()
    sets = data_sets(given)
    path = given.out / "gpu.json"
    on_gpu = given.device.type == "cuda"
    found = read_json(path) if path.exists() else {}
    for part in given.parts:
        print(part, flush=True)
        found[part] = {
            "device": torch.cuda.get_device_name(given.device) if on_gpu else processor_name(),
            "torch": torch.__version__,
            "given": {key: str(value) for key, value in vars(given).items()},
        }
        # The time of a step does not depend on the content of the patches; the phantoms are the larger volumes.
        for data in sets if part == "dice" else sets[-1:]:
            found[part][data.name] = MEASURES[part](data, given)
            write_json(path, found)
            clear()


if __name__ == "__main__":
    main()
