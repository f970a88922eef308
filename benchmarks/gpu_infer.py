"""Inference time on a GPU, against sliding windows of MONAI with the same network, for gpu.py."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from monai.inferers import sliding_window_inference

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_timing import interleaved, wait_for  # noqa: E402
from benchmarks.prepared_cases import DataSet  # noqa: E402
from ctseg.export.model_files import export_onnx, export_torchscript, window_bytes  # noqa: E402
from ctseg.geometry.volume import Grid, Volume  # noqa: E402
from ctseg.inference.gpu_inference import DeviceSettings, MapsWanted, infer_on_device  # noqa: E402
from ctseg.inference.gpu_windows import DeviceWindows  # noqa: E402
from ctseg.inference.model_card import InferSettings, ModelCard  # noqa: E402
from ctseg.inference.predict import tiles_for  # noqa: E402
from ctseg.inference.sliding_window import tiling  # noqa: E402
from ctseg.inference.torch_engine import TorchEngine  # noqa: E402
from ctseg.masks.components import write_components  # noqa: E402
from ctseg.masks.postprocessing import PostprocessSettings, postprocess_and_measure  # noqa: E402
from ctseg.network.architectures import SegmentationModel, build_network  # noqa: E402
from ctseg.preprocessing.preparation import Preparation, network_input  # noqa: E402
from ctseg.scans.nifti import read_nifti, write_nifti  # noqa: E402

AT_ONCE = 16  # windows, in both loops
OVERLAP = 0.5
SPACING_MM = 1.5  # of the network's grid; the scan has half this spacing
PRECISIONS = ("float32", "tf32", "bfloat16")
AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def engine_of(data: DataSet, given: argparse.Namespace, precision: str) -> TorchEngine:
    """Exported and loaded engine of an untrained model with the network and patch of the study."""
    settings = data.settings
    torch.manual_seed(0)
    network = replace(settings.network, exclusive=False)
    model = SegmentationModel([build_network(network, 1).eval()], settings.scaling).eval()
    window_hu = settings.scaling.low_hu, settings.scaling.high_hu
    card = ModelCard(
        labels=("target",),
        preparation=Preparation((SPACING_MM,) * 3, window_hu, "body", 10.0),
        patch_zyx=settings.patch_zyx,
        multiple_zyx=network.multiple_zyx,
        window_bytes=window_bytes(model, settings.patch_zyx),
        infer=InferSettings("patch", OVERLAP, precision),
        threshold=0.5,
        postprocess=PostprocessSettings(100.0, False, False),
        n_networks=1,
        training_cases=0,
        training_hash="",
        versions={},
        network=network,
        scaling=settings.scaling,
    )
    export_onnx(model, card, given.out / "model.onnx")
    export_torchscript(model, card, given.out / "model.ts")
    return TorchEngine(given.out / "model.ts", torch.get_num_threads(), precision, given.device)


def loops(engine: TorchEngine, given: argparse.Namespace) -> dict[str, Callable[[], torch.Tensor]]:
    """Functions of both programs that compute probabilities [1, z, y, x] of the same HU voxels."""
    rng = np.random.default_rng(0)
    hu = torch.from_numpy(rng.integers(-1000, 400, given.loop).astype(np.int16)).to(given.device)
    patch = engine.card.patch_zyx
    tiles = tiling(tuple(given.loop), patch, patch, OVERLAP)
    windows = DeviceWindows(tiles, engine.probabilities, 1, AT_ONCE, given.device)

    def ours() -> torch.Tensor:
        return torch.cat([slab.clone() for _, slab in windows.slabs(lambda a, b: hu[a:b], -np.inf, -1000)], dim=1)

    def monais() -> torch.Tensor:
        image = hu[None, None].float()
        with torch.inference_mode():
            found = sliding_window_inference(image, patch, AT_ONCE, engine.probabilities, OVERLAP, mode="gaussian")
        return found[0]

    return {"ctseg": ours, "monai": monais}


def write_scan(given: argparse.Namespace) -> Path:
    """Write scan.nii.gz, a box of noise in air, and return its path."""
    path = given.out / "scan.nii.gz"
    rng = np.random.default_rng(0)
    voxels = np.full(given.scan, -1000, np.int16)
    inner = tuple(slice(size // 10, size - size // 10) for size in given.scan)
    voxels[inner] = rng.integers(-100, 100, voxels[inner].shape)
    write_nifti(Volume(voxels, Grid(tuple(given.scan), (SPACING_MM / 2,) * 3, (0.0, 0.0, 0.0), AXES)), path)
    return path


def segment_file(engine: TorchEngine, scan: Path, given: argparse.Namespace) -> dict[str, float]:
    """Segment a file and write labels and components; return the seconds of each stage and of all."""
    marks = [time.perf_counter()]

    def mark() -> None:
        wait_for(given.device)
        marks.append(time.perf_counter())

    image = read_nifti(scan)
    mark()
    card = engine.card
    part, grid = network_input(image, None, card.preparation)
    tiles = tiles_for(grid.shape_zyx, engine, card.infer, 1.5, None)
    maps = infer_on_device(image, part, grid, tiles, engine, "", MapsWanted(card.threshold), DeviceSettings())
    mark()
    found, components, _ = postprocess_and_measure(maps.labels, image, card.postprocess, None, False)
    write_components(components, list(card.labels), given.out / "found.tsv")
    mark()
    write_nifti(found, given.out / "found.nii.gz")
    mark()
    stages = dict(zip(("read", "infer", "components", "write"), np.diff(marks).tolist(), strict=True))
    return stages | {"all": marks[-1] - marks[0]}


def measure_infer(data: DataSet, given: argparse.Namespace) -> dict[str, Any]:
    """Median ms of both loops, their largest difference, and median seconds per stage of the scan in each precision."""
    engine = engine_of(data, given, "float32")
    both = loops(engine, given)
    off = (both["ctseg"]() - both["monai"]()).abs().max().item()
    timings = interleaved(both, given.rounds, given.block, given.device)
    result: dict[str, Any] = {name: timing.facts()["step_ms"] for name, timing in timings.items()}
    result |= {"largest_difference": off, "times_monai": round(result["monai"] / result["ctseg"], 2)}
    print(f"  loop: {result}", flush=True)
    scan = write_scan(given)
    for precision in PRECISIONS:
        engine = engine_of(data, given, precision)
        runs = [segment_file(engine, scan, given) for _ in range(given.rounds + 1)][1:]
        stages = {stage: round(median(run[stage] for run in runs), 3) for stage in runs[0]}
        result[f"scan in {engine.precision}"] = stages
        print(f"  scan, {engine.name}: {stages}", flush=True)
    return result
