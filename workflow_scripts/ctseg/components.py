"""Connected components: what a segmentation found, piece by piece."""

from pathlib import Path
from typing import Any, Literal

import cc3d
import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from ctseg.files import write_table
from ctseg.resample import bounding_box
from ctseg.volume import Grid, Volume

CONNECTIVITY: Literal[26] = 26  # voxels that share a face, an edge or a corner belong together

COLUMNS = {
    "component": "d",
    "voxels": "d",
    "volume_cm3": ".4f",
    "centroid_x_mm": ".2f",
    "centroid_y_mm": ".2f",
    "centroid_z_mm": ".2f",
    "extent_x_mm": ".2f",
    "extent_y_mm": ".2f",
    "extent_z_mm": ".2f",
    "longest_diameter_mm": ".2f",
    "mean_hu": ".1f",
    "sd_hu": ".1f",
    "min_hu": ".0f",
    "max_hu": ".0f",
    "mean_entropy_bits": ".3f",
}


def label_components(mask_zyx: np.ndarray) -> np.ndarray:
    """Number the connected components of a boolean mask [z, y, x] from 1; the background is 0."""
    # cc3d 4.1 runs out of numbers where single voxels fill a thin array; an empty slice beside them gives it more.
    thin = [(0, int(size < 4)) for size in mask_zyx.shape]
    padded = np.pad(mask_zyx, thin) if min(mask_zyx.shape) < 4 else mask_zyx
    depth, rows, columns = mask_zyx.shape
    return cc3d.connected_components(padded, connectivity=CONNECTIVITY)[:depth, :rows, :columns]


def voxels_in(volume_mm3: float, grid: Grid) -> float:
    """How many voxels make up a volume, less a millionth: the geometry of a file is no more exact than that."""
    return volume_mm3 / grid.voxel_volume_mm3 * (1 - 1e-6)


def measure_components(segmentation: Volume, image: Volume, entropy: Volume | None = None) -> list[dict[str, Any]]:
    """One row per component, ordered by class and then by falling volume.

    `segmentation` holds classes 1…n (uint8) and `image` HU on the same grid. Each row has `label` (the class number)
    and the keys of `COLUMNS`; positions are LPS millimetres, `extent` is the box along the patient's axes, whose lowest
    and highest corner stand in `box_xyz_mm`, as does one of its voxels in `voxel_xyz_mm`, and the longest diameter is
    the largest distance between voxel centres, plus the shortest edge of a voxel. The mean entropy is that of an
    `entropy` map in 255ths of a bit, and None without one.
    """
    rows: list[dict[str, Any]] = []
    around = bounding_box(segmentation.voxels_zyx > 0)
    if around is None:
        return rows
    segmentation, image = segmentation.cropped(around), image.cropped(around)
    entropy = entropy.cropped(around) if entropy else None
    for value in np.unique(segmentation.voxels_zyx[segmentation.voxels_zyx > 0]):
        components = label_components(segmentation.voxels_zyx == value)
        boxes = cc3d.statistics(components)["bounding_boxes"]
        measured = [
            _measure(components[box] == number, image.voxels_zyx[box], segmentation.grid.cropped(box))
            | {"mean_entropy_bits": _mean_bits(components[box] == number, entropy.voxels_zyx[box]) if entropy else None}
            for number, box in enumerate(boxes)
            if number > 0
        ]
        measured.sort(key=lambda row: (-row["voxels"], *(round(row[f"centroid_{axis}_mm"], 3) for axis in "zyx")))
        rows += [{"label": int(value), "component": number, **row} for number, row in enumerate(measured, start=1)]
    return rows


def _measure(mask_zyx: np.ndarray, image_zyx: np.ndarray, grid: Grid) -> dict[str, Any]:
    """All measures of the one component that `mask_zyx` holds, cropped to its box."""
    points = grid.points_xyz_mm(np.argwhere(mask_zyx))
    hu = image_zyx[mask_zyx].astype(np.float64)
    # Half a voxel on each side, along the patient's axes.
    voxel_xyz_mm = np.abs(grid.affine[:3, :3]).sum(axis=1)
    lowest, highest = points.min(axis=0) - voxel_xyz_mm / 2, points.max(axis=0) + voxel_xyz_mm / 2
    centroid, extent = points.mean(axis=0), highest - lowest
    return {
        "voxels": int(hu.size),
        "volume_cm3": hu.size * grid.voxel_volume_mm3 / 1000,
        **{f"centroid_{axis}_mm": float(value) for axis, value in zip("xyz", centroid, strict=True)},
        **{f"extent_{axis}_mm": float(value) for axis, value in zip("xyz", extent, strict=True)},
        "box_xyz_mm": [lowest.tolist(), highest.tolist()],
        "voxel_xyz_mm": points[0].tolist(),
        "longest_diameter_mm": longest_distance_mm(points) + min(grid.spacing_xyz_mm),
        "mean_hu": float(hu.mean()),
        "sd_hu": float(hu.std()),
        "min_hu": float(hu.min()),
        "max_hu": float(hu.max()),
    }


def _mean_bits(mask_zyx: np.ndarray, entropy_zyx: np.ndarray) -> float:
    """Mean entropy of a component, cropped to its box."""
    return float(entropy_zyx[mask_zyx].mean()) / 255


def longest_distance_mm(points_xyz_mm: np.ndarray) -> float:
    """The largest distance between any two of (n, 3) points; it is always one between corners of their hull."""
    if len(points_xyz_mm) < 2:
        return 0.0
    corners = points_xyz_mm
    if len(points_xyz_mm) > 8:
        try:
            corners = points_xyz_mm[ConvexHull(points_xyz_mm).vertices]
        except QhullError:  # all points in one plane or line, which has no 3-D hull
            axes = np.linalg.svd(points_xyz_mm - points_xyz_mm.mean(axis=0), full_matrices=False)[2]
            flat = (points_xyz_mm - points_xyz_mm.mean(axis=0)) @ axes[:2].T
            try:
                corners = points_xyz_mm[ConvexHull(flat).vertices]
            except QhullError:  # a line: its two ends
                corners = points_xyz_mm[[flat[:, 0].argmin(), flat[:, 0].argmax()]]
    return float(pdist(corners).max())


def write_components(rows: list[dict[str, Any]], names: list[str], path: str | Path) -> None:
    """Write the rows as a TSV with the names of the classes; only the header where nothing was found.

    What was not measured stays empty.
    """
    write_table(path, {"label": "", **COLUMNS}, [row | {"label": names[row["label"] - 1]} for row in rows])
