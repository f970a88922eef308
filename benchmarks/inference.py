"""Cost of a prediction in time, share of the processor's limit and memory, against MONAI, ONNX Runtime and nnU-Net.

    python benchmarks/inference.py OUT [--rounds 3] [--threads 2] [--peer PYTHON_OF_NNUNET] [--chest DATA]

The network is the one that `auto` plans for a CPU: a dynunet of 16…128 features with a first level of half the
resolution and patches of 96³. The script trains it for about a minute to segment the bones of the built-in phantom, so
that the Dice is meaningful. All programs use the same weights. Rounds of all programs are interleaved and medians
compared. `dice` is the Dice against the bones, `agreement` the Dice against the reference program of the table.

* loop: voxels of 1 mm to probabilities. `monai` is sliding_window_inference with torch, overlap 0.5, Gaussian weights;
  `ctseg` runs the model with OpenVINO and `onnxruntime` with ONNX Runtime, both in the loop of ctseg.
* scan: a scan of 0.75 mm to labels on its own grid, including resampling and export, against the predictor of nnU-Net
  without mirroring (--peer is the Python of an environment with nnU-Net; see benchmarks/nnunet_predict.py).
* command: time and peak memory of `python -m ctseg predict` on files, and the share of time outside the network.

OUT/inference.json contains all results.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.bones import BONE_HU, LARGE, PATCH, centre, train, write_models  # noqa: E402
from ctseg.geometry.resample import resample  # noqa: E402
from ctseg.geometry.volume import Volume  # noqa: E402
from ctseg.hardware import has_bfloat16  # noqa: E402
from ctseg.inference.engines import Engine, load_engine  # noqa: E402
from ctseg.inference.model_card import REFERENCE, InferSettings  # noqa: E402
from ctseg.inference.predict import infer, windows_for  # noqa: E402
from ctseg.inference.sliding_window import slabs  # noqa: E402
from ctseg.masks.overlap import dice_of_masks  # noqa: E402
from ctseg.network.architectures import SegmentationModel  # noqa: E402
from ctseg.phantom.patient import Phantom, PhantomSettings, make_phantom  # noqa: E402
from ctseg.preprocessing.preparation import BODY_HU, region_box  # noqa: E402
from ctseg.scans.nifti import read_nifti, write_nifti  # noqa: E402

LOOPS = {"256 x 256 x 100": (100, 256, 256), "300 x 300 x 250": (250, 300, 300)}


def looped(engine: Engine, voxels: np.ndarray, settings: InferSettings) -> np.ndarray:
    """Mask [z, y, x] by the loop of ctseg."""
    tiles = windows_for(voxels.shape, engine.card, settings, 1.5)  # type: ignore[arg-type]
    found = slabs(lambda a, b: voxels[a:b], tiles, engine, 1, 1, BODY_HU, -1000)
    return np.concatenate([slab[0] >= 0.5 for _, slab in found])


def torch_engine(model: SegmentationModel, engine: Engine) -> Engine:
    """The torch model with the interface of an engine."""

    def run(patches: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(patches)).numpy()

    run.card, run.on_gpu = engine.card, False  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def by_monai(model: SegmentationModel, voxels: np.ndarray) -> np.ndarray:
    """Mask [z, y, x] by the loop of MONAI."""
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        image = torch.from_numpy(voxels.astype(np.float32))[None, None]
        return sliding_window_inference(image, PATCH, 4, model, 0.5, "gaussian")[0, 0].numpy() >= 0.5


def compared(
    programs: dict[str, Callable[[], np.ndarray]], rounds: int, reference: str, truth: np.ndarray
) -> dict[str, dict[str, float]]:
    """Median seconds, speed-up over the reference, Dice with `truth` and Dice with the reference, for each program."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    masks = {}
    for _ in range(rounds):
        for name, program in programs.items():
            start = time.perf_counter()
            masks[name] = program()
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found) for name, found in seconds.items()}
    rows = {
        name: {
            "seconds": round(median[name], 3),
            "times_faster": round(median[reference] / median[name], 2),
            "dice": round(dice_of_masks(masks[name], truth), 4),
            "agreement": round(dice_of_masks(masks[name], masks[reference]), 6),
        }
        for name in programs
    }
    for name, row in rows.items():
        print(f"  {name:28s} {row}", flush=True)
    return rows  # type: ignore[return-value]


def patch_gflop(model: SegmentationModel) -> float:
    """GFLOP of one patch, counted by torch."""
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        model(torch.zeros(1, 1, *PATCH))
    return counted.get_total_flops() / 1e9


def peak_gflops(threads: int) -> float:
    """GFLOP/s of one large convolution in OpenVINO: practical limit of the cores in float32."""
    import openvino as ov
    from openvino import opset13 as op

    image = op.parameter([1, 256, 16, 16, 16], np.float32)
    weight = op.constant(np.full((256, 256, 3, 3, 3), 0.01, np.float32))
    graph = ov.Model([op.convolution(image, weight, [1] * 3, [1] * 3, [1] * 3, [1] * 3)], [image])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(graph, "CPU", settings)
    voxels, best = np.zeros((1, 256, 16, 16, 16), np.float32), float("inf")
    for _ in range(20):
        start = time.perf_counter()
        compiled(voxels)
        best = min(best, time.perf_counter() - start)
    return 2 * 27 * 256 * 256 * 16**3 / best / 1e9


def command(out: Path, scan: Path, threads: int) -> dict[str, float]:
    """Seconds and peak memory in GiB of the command line that segments a file."""
    made = out / "segmented.nii.gz"
    words = ["-m", "ctseg", "predict", out / "model.onnx", scan, "-o", made, "--threads", threads]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts")}
    # A process inherits the peak memory of its parent, so a small process starts the command.
    measure = (
        "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "_, status, usage = os.wait4(process.pid, 0); print(usage.ru_maxrss); sys.exit(status != 0)"
    )
    start = time.perf_counter()
    line = [sys.executable, "-c", measure, sys.executable, *map(str, words)]
    peak_kib = int(subprocess.run(line, env=environment, check=True, capture_output=True, text=True).stdout)
    return {"seconds": round(time.perf_counter() - start, 2), "peak_gib": round(peak_kib / 2**20, 3)}


def outside_network(engine: Engine, scan: Path, out: Path, settings: InferSettings) -> dict[str, float]:
    """Seconds of one scan from file to file, seconds in the network, and the share outside of it."""
    spent = 0.0

    def timed(patches: np.ndarray) -> np.ndarray:
        nonlocal spent
        start = time.perf_counter()
        found = engine(patches)
        spent += time.perf_counter() - start
        return found

    timed.card, timed.on_gpu = engine.card, False  # type: ignore[attr-defined]
    start = time.perf_counter()
    maps = infer(read_nifti(scan), None, timed, settings)  # type: ignore[arg-type]
    write_nifti(maps.labels, out / "segmented.nii.gz")
    whole = time.perf_counter() - start
    return {"seconds": round(whole, 2), "network": round(spent, 2), "share_outside": round(1 - spent / whole, 3)}


def main() -> None:
    """Run all measurements and write OUT/inference.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", help="Python of an environment with nnU-Net")
    parser.add_argument("--chest", type=Path, help="a folder of CASE/image.nii.gz")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    phantom: Phantom = make_phantom(PhantomSettings(1, (1.2, 1.2), (1.2, 1.2), (4, 8)), 0)
    image = resample(phantom.image, phantom.image.grid.with_spacing((1.0, 1.0, 1.0)))
    model = train(image)
    write_models(model, given.out)
    engines = {
        "ctseg": load_engine(given.out / "model.onnx", given.threads, "openvino"),
        "onnxruntime": load_engine(given.out / "model.onnx", given.threads, "onnxruntime"),
    }
    if has_bfloat16():
        engines["ctseg bfloat16"] = load_engine(given.out / "model.onnx", given.threads, "openvino", "bfloat16")
    limit, gflop = peak_gflops(given.threads), patch_gflop(model)
    result: dict = {"limit_gflops": round(limit), "loop": {}, "command": {}, "outside_network": {}}
    for name, shape in LOOPS.items():
        print(name, flush=True)
        voxels = centre(image, shape).voxels_zyx
        rows = compared(
            {
                "monai, torch": partial(by_monai, model, voxels),
                **{f"{key}, patch 0.5": partial(looped, engine, voxels, REFERENCE) for key, engine in engines.items()},
                **{
                    f"{key}, large 0.25": partial(looped, engine, voxels, LARGE)
                    for key, engine in engines.items()
                    if key.startswith("ctseg")
                },
            },
            given.rounds,
            "monai, torch",
            voxels > BONE_HU,
        )
        with torch.inference_mode():
            eager = looped(torch_engine(model, engines["ctseg"]), voxels, REFERENCE)
        parity = dice_of_masks(looped(engines["ctseg"], voxels, REFERENCE), eager)
        print(f"  the same windows with ctseg and with torch: Dice {parity:.6f}", flush=True)
        rows["ctseg, patch 0.5"]["agreement_with_torch_in_the_same_windows"] = round(parity, 6)
        for key, settings in (("ctseg, patch 0.5", REFERENCE), ("ctseg, large 0.25", LARGE)):
            computed = windows_for(shape, engines["ctseg"].card, settings, 1.5).computed_voxels
            rate = computed / prod(PATCH) * gflop / rows[key]["seconds"]
            rows[key]["share_of_limit"] = round(rate / limit, 3)
            print(f"  {key}: {rate:.0f} GFLOP/s of {limit:.0f}", flush=True)
        result["loop"][name] = rows
    print("lungs' box against the whole volume", flush=True)
    lungs = resample(phantom.lungs, image.grid, fill=0)
    box = region_box(image, lungs, 10.0)
    cropped = image.voxels_zyx[box]
    result["lungs"] = compared(
        {
            "monai, torch": lambda: by_monai(model, image.voxels_zyx)[box],
            "ctseg, lungs, patch 0.5": lambda: looped(engines["ctseg"], cropped, REFERENCE),
            "ctseg, lungs, large 0.25": lambda: looped(engines["ctseg"], cropped, LARGE),
        },
        1,
        "monai, torch",
        cropped > BONE_HU,
    )
    fine = centre(image, (250, 300, 300))
    fine = resample(fine, fine.grid.with_spacing((0.75, 0.75, 1.0)))
    write_nifti(fine, given.out / "scan.nii.gz")
    if given.peer:
        result["scan"] = against_nnunet(engines["ctseg"], fine, given)
    chest = centre(image, (300, 358, 358))
    chest = resample(chest, replace(chest.grid.with_spacing((0.7, 0.7, 0.5)), shape_zyx=(600, 512, 512)))
    write_nifti(chest, given.out / "600.nii.gz")
    long = np.concatenate([chest.voxels_zyx, chest.voxels_zyx[::-1]])
    write_nifti(Volume(long, replace(chest.grid, shape_zyx=long.shape)), given.out / "1200.nii.gz")
    scans = {name: given.out / f"{name}.nii.gz" for name in ("scan", "600", "1200")}
    if given.chest:
        scans |= {path.parent.name: path for path in sorted(given.chest.glob("*/image.nii.gz"))}
    for name, path in scans.items():
        result["command"][name] = command(given.out, path, given.threads)
        result["outside_network"][name] = {
            f"{settings.window} {settings.overlap}": outside_network(engines["ctseg"], path, given.out, settings)
            for settings in (REFERENCE, LARGE)
        }
        print(name, result["command"][name], result["outside_network"][name], flush=True)
    (given.out / "inference.json").write_text(json.dumps(result, indent=2) + "\n")


def against_nnunet(engine: Engine, image: Volume, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Comparison of ctseg and the predictor of nnU-Net: a scan to labels on its own grid."""

    def nnunet() -> np.ndarray:
        script, scan = ROOT / "benchmarks" / "nnunet_predict.py", given.out / "scan.nii.gz"
        words = [given.peer, script, given.out / "model.ts", scan, given.out / "nnunet.npy", "--threads", given.threads]
        subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL)
        return np.load(given.out / "nnunet.npy") > 0

    print("scan", flush=True)
    rows = compared(
        {
            "nnunet": nnunet,
            "ctseg, patch 0.5": lambda: infer(image, None, engine, REFERENCE).labels.voxels_zyx > 0,
            "ctseg, large 0.25": lambda: infer(image, None, engine, LARGE).labels.voxels_zyx > 0,
        },
        given.rounds,
        "nnunet",
        image.voxels_zyx > BONE_HU,
    )
    # Count only the predictor of nnU-Net, without imports and reading in its process.
    seconds = json.loads((given.out / "nnunet.json").read_text())["seconds"]
    for row in rows.values():
        row["times_faster"] = round(seconds / row["seconds"], 2)
    rows["nnunet"] |= {"seconds": round(seconds, 2), "times_faster": 1.0}
    return rows


if __name__ == "__main__":
    main()
