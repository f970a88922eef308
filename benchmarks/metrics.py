"""Time of all surface metrics of one case: ctseg, DeepMind's surface-distance, and MONAI on the whole volume.

    python benchmarks/metrics.py [--shape 300 512 512] [--lesions 20] [--rounds 3]

Both masks have the same lesions; in the second mask their radius is smaller by one voxel and they are shifted by one
voxel. The tools run in turn, each run in a separate process; the script prints median times and the metric values.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SPACING_ZYX_MM = (1.0, 0.7, 0.7)
TOLERANCE_MM = 2.0
ROOT = Path(__file__).resolve().parents[1]


def masks(shape_zyx: tuple[int, int, int], n_lesions: int) -> tuple[np.ndarray, np.ndarray]:
    """Two masks, bool [z, y, x]: balls with radii of 5 to 14 voxels; the same, 1 smaller and shifted by 1 along x."""
    rng = np.random.default_rng(0)
    reference, prediction = np.zeros(shape_zyx, bool), np.zeros(shape_zyx, bool)
    for _ in range(n_lesions):
        radius = rng.uniform(5, 14)
        centre = rng.uniform(20, np.array(shape_zyx) - 20).astype(int)
        box = tuple(slice(c - 18, c + 18) for c in centre)
        distance = np.linalg.norm(np.indices((36, 36, 36)) - 17.5, axis=0)
        reference[box] |= distance < radius
        prediction[box] |= np.roll(distance, 1, 2) < radius - 1
    return reference, prediction


def by_ctseg(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """HD95, ASSD and surface Dice by ctseg."""
    from ctseg.evaluation.surface_distances import surface_distances

    found = surface_distances(reference, prediction, SPACING_ZYX_MM)
    return {"hd95": found.hausdorff_mm(95), "assd": found.mean_mm(), "nsd": found.surface_dice(TOLERANCE_MM)}


def by_deepmind(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """HD95, ASSD and surface Dice by surface-distance."""
    from scipy import ndimage

    np.Inf = np.inf  # type: ignore[attr-defined]  # noqa: NPY201 (the package is older than NumPy 2)
    ndimage.filters = ndimage
    from surface_distance import metrics

    found = metrics.compute_surface_distances(reference, prediction, SPACING_ZYX_MM)
    means = metrics.compute_average_surface_distance(found)
    areas = [found["surfel_areas_gt"].sum(), found["surfel_areas_pred"].sum()]
    return {
        "hd95": metrics.compute_robust_hausdorff(found, 95),
        "assd": float(np.average(means, weights=areas)),
        "nsd": metrics.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
    }


def by_monai(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """HD95, ASSD and surface Dice by MONAI, on the whole volume."""
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    found, wanted = (torch.from_numpy(mask)[None, None] for mask in (prediction, reference))
    common = {"y_pred": found, "y": wanted, "include_background": True, "spacing": SPACING_ZYX_MM}
    return {
        "hd95": float(compute_hausdorff_distance(**common, percentile=95)),
        "assd": float(compute_average_surface_distance(**common, symmetric=True)),
        "nsd": float(compute_surface_dice(**common, class_thresholds=[TOLERANCE_MM])),
    }


TOOLS = {"ctseg": by_ctseg, "surface-distance": by_deepmind, "monai": by_monai}


def measure(tool: str, shape_zyx: list[int], n_lesions: int) -> dict[str, float]:
    """Seconds (without imports) and metric values of one tool, measured in a separate process."""
    command = [sys.executable, __file__, "--tool", tool, "--lesions", str(n_lesions), "--shape", *map(str, shape_zyx)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run_tool(tool: str, shape_zyx: tuple[int, int, int], n_lesions: int) -> None:
    """Print seconds and metric values of one tool as JSON."""
    sys.path.insert(0, str(ROOT / "workflow_scripts"))
    small = np.zeros((8, 8, 8), bool)
    small[2:6, 2:6, 2:6] = True
    TOOLS[tool](small, small)  # loads imports and look-up tables
    pair = masks(shape_zyx, n_lesions)
    started = time.perf_counter()
    values = TOOLS[tool](*pair)
    print(json.dumps({"seconds": time.perf_counter() - started, **{name: float(x) for name, x in values.items()}}))


def main() -> None:
    """Measure all tools in turn, and print medians, ratios and values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=[300, 512, 512], help="slices, rows, columns")
    parser.add_argument("--lesions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tool", choices=TOOLS, help="run one tool, as this script does itself")
    given = parser.parse_args()
    if given.tool:
        run_tool(given.tool, tuple(given.shape), given.lesions)
        return
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
    for _ in range(given.rounds):
        for tool in TOOLS:
            runs[tool].append(measure(tool, given.shape, given.lesions))
    own = float(np.median([run["seconds"] for run in runs["ctseg"]]))
    for tool, found in runs.items():
        seconds = float(np.median([run["seconds"] for run in found]))
        values = ", ".join(f"{name} {found[0][name]:.4f}" for name in ("hd95", "assd", "nsd"))
        print(f"{tool:18} {seconds:8.2f} s  {seconds / own:6.1f} ×   {values}")


if __name__ == "__main__":
    main()
