"""Check that a model's files compute the same as the trained model, in each engine, on a GPU in each precision."""

import logging
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ctseg.errors import ModelError
from ctseg.geometry.volume import Shape
from ctseg.inference.engines import ENGINES, load_engine, lower_precisions

logger = logging.getLogger(__name__)

DIFFERENCE = "_max_difference"
LIBTORCH = "libtorch"  # the graph of model.ts, as run by programs without ctseg

Run = Callable[[np.ndarray], np.ndarray]


def parity_sizes(patch_zyx: Shape, multiple_zyx: Shape) -> list[tuple[int, int, int, int]]:
    """Three input sizes (batch, z, y, x) to compare: the patch, a smaller and a longer one, with 1 to 3 in a batch."""
    depth, height, width = patch_zyx
    small = [2 * multiple for multiple in multiple_zyx]  # instance norm needs more than one voxel at the coarsest level
    return [
        (1, depth, height, width),
        (3, small[0], small[1], small[2]),
        (2, depth + multiple_zyx[0], height, small[2]),
    ]


def compare(model: nn.Module, onnx_path: Path, multiple_zyx: Shape, seed: int) -> tuple[str, list[dict[str, Any]]]:
    """Name of the engine torch here, and the largest difference of a probability from the model's in each run.

    Runs the .onnx file and the .ts file of the same name on random HU of three sizes; one row per size. Each installed
    engine runs in float32; on a GPU the engine torch runs in its other precisions, too. `model` runs on the processor.
    """
    engines = {name: load_engine(onnx_path, 2, name, "float32") for name in ENGINES if find_spec(name)}
    on_torch = engines["torch"]
    runs: dict[str, Run] = {**engines, LIBTORCH: _traced(onnx_path.with_suffix(".ts"))}
    if on_torch.on_gpu:
        lower = {f"torch_{name}": load_engine(onnx_path, 2, "torch", name) for name in lower_precisions("torch")}
        runs |= lower
    rng = np.random.default_rng(seed)
    low, high = on_torch.card.preparation.window_hu
    rows: list[dict[str, Any]] = []
    for batch, depth, height, width in parity_sizes(on_torch.card.patch_zyx, multiple_zyx):
        hu = rng.uniform(low - 100, high + 100, (batch, 1, depth, height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = model.eval()(torch.from_numpy(hu)).numpy()
        found = {name: float(np.abs(run(hu) - expected).max()) for name, run in runs.items()}
        rows.append({"shape": list(hu.shape), **{f"{name}{DIFFERENCE}": value for name, value in found.items()}})
    return on_torch.name, rows


def _traced(path: Path) -> Run:
    """Function that runs the graph of a TorchScript file on the processor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript announces its successor
        graph = torch.jit.load(str(path), map_location="cpu").eval()

    def run(hu: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return graph(torch.from_numpy(hu)).numpy()

    return run


def precision_of(run: str) -> str:
    """The requested precision of a run, by its name in the rows of `compare`."""
    return run.removeprefix("torch_") if run.startswith("torch_") else "float32"


def require_parity(rows: list[dict[str, Any]], tolerances: Mapping[str, float], shipped: str) -> None:
    """Raise ModelError if a run of the exported model differs from the trained one by more than its tolerance.

    A lower precision than float32 stops the export only if it is `shipped`, the precision that the model infers in;
    other differences are logged.
    """
    for row in rows:
        for name, difference in row.items():
            run, precision = name.removesuffix(DIFFERENCE), precision_of(name.removesuffix(DIFFERENCE))
            if not name.endswith(DIFFERENCE) or difference <= tolerances[precision]:
                continue
            key = "parity_tolerance" if precision == "float32" else f"parity_tolerances.{precision}"
            problem = (
                f"with {run} the exported model differs from the trained one by {difference:.2g}, more than "
                f"export_model.{key} = {tolerances[precision]:g}"
            )
            if precision in ("float32", shipped):
                raise ModelError(f"{problem}; it must not be used")
            logger.warning("%s; leave infer.precision at %s", problem, shipped)
