"""Training on a GPU: what a step costs, minutes to a Dice beside MONAI's fast recipe, and bitwise repeatability.

    CUBLAS_WORKSPACE_CONFIG=:4096:8 python benchmarks/gpu_training.py OUT --data DATA [--phantoms 64] [--minutes 2]
    python benchmarks/gpu_training.py OUT --device cpu --small

The variable has to be set before CUDA starts: without it no matrix product repeats to the bit. DATA holds
CASE/image.nii.gz and CASE/label.nii.gz (label 1), and --study says how to train on it; the built-in phantoms are
resampled to --spacing. The last --validation cases of either validate, the others train. ctseg's own functions prepare
both under OUT, once. Each part adds its results to OUT/gpu_training.json:

* `steps`: patches a second of whole steps as in training, GPU utilisation (the driver's: the share of time in which
  anything runs there) and peak memory, for each of --batches, in bfloat16 and float32 (in which cuDNN's convolutions
  use TF32), with the cases on the GPU and mapped from disk. Blocks of steps of all variants are interleaved, and
  medians compared; peak memory is that of a variant alone.
* `dice`: minutes of training until the validation Dice reaches each of --goals, for ctseg and MONAI's recipe (see
  monai_fast.py), one after the other on the same prepared cases. Both go on until --minutes, over which ctseg's
  learning rate falls, so that a later collapse shows: the curve is kept, and the best and the last Dice are told. The
  clock counts training alone: no preparation, caching or validation.
* `repeat`: whether two short trainings with one seed end in the same weights to the bit, and what a step costs: with
  torch left free, as ctseg trains (repeatable where torch can), and strictly so, which fails where torch cannot.
"""

import argparse
import gc
import hashlib
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_timing import WARM_UP, interleaved, time_block, wait_for  # noqa: E402
from benchmarks.minutes_to_dice import minutes_until, step_and_dice  # noqa: E402
from benchmarks.monai_fast import CASES, CROPS, fast_recipe  # noqa: E402
from benchmarks.prepared_cases import DataSet, data_sets  # noqa: E402
from ctseg.files import read_json, write_json  # noqa: E402
from ctseg.hardware import processor_name  # noqa: E402
from ctseg.memory import keep_freed_memory  # noqa: E402
from ctseg.training import Trainer  # noqa: E402
from ctseg.training_settings import TrainSettings  # noqa: E402

PARTS = ("steps", "dice", "repeat")
MODES = ("free", "as trained", "strict")  # of torch's repeatability
STEP_CASES = 8  # in `steps`: each of its variants holds its own on the GPU
SMALL: dict[str, Any] = {"patch": 32, "channels": [8, 16, 32], "batch": 2, "batches": [2, 4], "repeat_steps": 3}
SMALL |= {"phantoms": 3, "spacing": 3.0, "most": 3, "validation": 1, "workers": 1}
SMALL |= {"rounds": 2, "block": 1.0, "minutes": 0.2, "every": 4.0, "goals": [0.01, 0.8]}


def use(mode: str) -> None:
    """Let torch choose among all algorithms, or among those that repeat to the bit, strictly or where there are any."""
    torch.use_deterministic_algorithms(mode != "free", warn_only=mode == "as trained")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # in all alike, as ctseg trains


def trainer(data: DataSet, settings: TrainSettings, device: torch.device, most: int | None = None) -> Trainer:
    """A training of ctseg, on the first cases alone if `most` is given."""
    return Trainer(data.training[:most], data.validation, settings, "benchmark", device)


def peak_gib(make: Callable[[], Trainer], device: torch.device) -> float | None:
    """The most memory that torch's tensors take in some steps of a training alone, cases included."""
    if device.type != "cuda":
        return None
    clear()
    torch.cuda.reset_peak_memory_stats(device)
    alone = make()
    for _ in range(WARM_UP):
        alone._train_step()
    wait_for(device)
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2)


def block(given: argparse.Namespace) -> tuple[int, float, torch.device]:
    """How many blocks of how many seconds, and where."""
    return given.rounds, given.block, given.device


def clear() -> None:
    """Give back what the last training held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measure_steps(data: DataSet, given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each batch size, precision and place of the cases."""
    use("as trained")
    places = ("gpu", "disk") if given.device.type == "cuda" else ("disk",)
    makers = {}
    for batch, precision, place in product(given.batches, ("bfloat16", "float32"), places):
        sizes = {"patch_zyx": (given.patch,) * 3, "batch_size": batch, "precision": precision, "data_on": place}
        settings = replace(data.settings, **sizes)
        makers[batch, precision, place] = partial(trainer, data, settings, given.device, STEP_CASES)
    peaks = {key: peak_gib(make, given.device) for key, make in makers.items()}
    trainers = {key: make() for key, make in makers.items()}
    timings = interleaved({key: one._train_step for key, one in trainers.items()}, *block(given))
    rows = []
    for key, timing in timings.items():
        row = dict(zip(("batch", "precision", "data_on"), key, strict=True)) | timing.facts()
        plain_ms = timings[key[0], "float32", "disk"].facts()["step_ms"]
        row |= {"patches_per_s": round(1000 * key[0] / row["step_ms"], 2), "peak_gib": peaks[key]}
        rows.append(row | {"times_float32_on_disk": round(plain_ms / row["step_ms"], 2)})
        print(f"  {rows[-1]}", flush=True)
    return rows


def ctseg_training(data: DataSet, given: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], float]]:
    """One step and the validation of ctseg, with a learning rate that falls over as many steps as the minutes hold."""
    use("as trained")
    timing = time_block(trainer(data, data.settings, given.device)._train_step, given.block, given.device)
    steps = round(60 * given.minutes / timing.step_s[0])
    return step_and_dice(trainer(data, replace(data.settings, steps=steps), given.device))


def monai_training(data: DataSet, given: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], float]]:
    """The same of MONAI's recipe; its network has twice as many features, as in the tutorial."""
    use("free")
    training, validation = ([data.folder / one.case for one in cases] for cases in (data.training, data.validation))
    window = data.settings.scaling.low_hu, data.settings.scaling.high_hu
    features = [2 * count for count in given.channels]
    return fast_recipe(training, validation, window, data.settings.patch_zyx[::-1], features, given.device)


def measure_dice(data: DataSet, given: argparse.Namespace) -> dict[str, Any]:
    """The curve of both programs, and what it says."""
    patches = {"ctseg": data.settings.batch_size, "monai": min(CASES, len(data.training)) * CROPS}
    result: dict[str, Any] = {}
    for program, make in (("ctseg", ctseg_training), ("monai", monai_training)):
        clear()
        print(f"  {data.name}, {program}", flush=True)
        step, dice = make(data, given)
        rows = minutes_until(math.inf, given.minutes, step, dice, given.every, partial(wait_for, given.device))
        reached = {goal: next((row[0] for row in rows if row[1] >= goal), None) for goal in given.goals}
        result[program] = {
            "minutes_to": reached,
            "best": max(row[1] for row in rows),
            "last": rows[-1][1],
            "patches_per_s": round(patches[program] * rows[-1][2] / (60 * rows[-1][0]), 2),
            "curve": rows,
        }
        print(f"  {result[program]}", flush=True)
        del step, dice
    for goal in given.goals:
        minutes = {program: facts["minutes_to"][goal] for program, facts in result.items()}
        ratio = f": {minutes['monai'] / minutes['ctseg']:.1f} times as long" if all(minutes.values()) else ""
        print(f"  {data.name}, Dice {goal}: minutes {minutes}{ratio}", flush=True)
    return result


def trained_hash(data: DataSet, given: argparse.Namespace) -> str:
    """SHA-256 of the averaged weights after some steps."""
    short = trainer(data, data.settings, given.device)
    for _ in range(given.repeat_steps):
        short._train_step()
    digest = hashlib.sha256()
    for value in short.average.module.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def measure_repeat(data: DataSet, given: argparse.Namespace) -> dict[str, Any]:
    """For each mode whether two trainings end in the same weights, or why it cannot train; and the time of a step."""
    result: dict[str, Any] = {}
    for mode in MODES:
        use(mode)
        try:
            hashes = [trained_hash(data, given) for _ in range(2)]
            result[mode] = {"same": hashes[0] == hashes[1], "sha256": hashes}
        except RuntimeError as error:
            result[mode] = {"error": str(error).splitlines()[0]}
    able = [mode for mode in MODES if "same" in result[mode]]
    steps = {mode: trainer(data, data.settings, given.device)._train_step for mode in able}
    for mode, timing in interleaved(steps, *block(given), use).items():
        result[mode] |= timing.facts()
    for mode in MODES:
        print(f"  {mode}: {result[mode]}", flush=True)
    return result


def parse() -> argparse.Namespace:
    """What was given; --small changes the defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "soft_tissue_sarcoma.yaml")
    parser.add_argument("--most", type=int, help="use the first cases of DATA alone")
    parser.add_argument("--phantoms", type=int, default=64, help="how many; 0 for none")
    parser.add_argument("--spacing", type=float, default=1.0, help="of the phantoms, in mm")
    parser.add_argument("--validation", type=int, default=6, help="how many of the last cases validate")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--patch", type=int, default=96, help="in `steps`, and the most that a study may have")
    parser.add_argument("--batches", type=int, nargs="+", default=[2, 8], help="in `steps`")
    parser.add_argument("--batch", type=int, default=8, help="of ctseg in `dice` and `repeat`")
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="of ctseg's network")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=5.0, help="seconds of steps of a variant in a row")
    parser.add_argument("--minutes", type=float, default=2.0, help="of training, for each program and data set")
    parser.add_argument("--every", type=float, default=10.0, help="seconds of training between validations")
    parser.add_argument("--goals", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8, 0.9])
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
    """Prepare the cases, and measure the parts that are wanted."""
    given = parse()
    keep_freed_memory()
    sets = data_sets(given)
    path = given.out / "gpu_training.json"
    on_gpu = given.device.type == "cuda"
    found = read_json(path) if path.exists() else {}
    parts = {"steps": measure_steps, "dice": measure_dice, "repeat": measure_repeat}
    for part in given.parts:
        print(part, flush=True)
        found[part] = {
            "device": torch.cuda.get_device_name(given.device) if on_gpu else processor_name(),
            "torch": torch.__version__,
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
            "given": {key: str(value) for key, value in vars(given).items()},
        }
        # A step does not depend on what is in the patches; the phantoms are the larger volumes.
        for data in sets if part == "dice" else sets[-1:]:
            found[part][data.name] = parts[part](data, given)
            write_json(path, found)
            clear()


if __name__ == "__main__":
    main()
