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
    for value in range(1, int(segmentation.voxels_zyx.max()) + 1):
        components = label_components(segmentation.voxels_zyx == value)
        boxes = cc3d.statistics(components)["bounding_boxes"]
        measured = [
            _measure(components[box] == number, image.cropped(box), entropy.cropped(box) if entropy else None)
            for number, box in enumerate(boxes)
            if number > 0
        ]
        measured.sort(key=lambda row: (-row["voxels"], *(round(row[f"centroid_{axis}_mm"], 3) for axis in "zyx")))
        rows += [{"label": int(value), "component": number, **row} for number, row in enumerate(measured, start=1)]
    return rows


def _measure(mask_zyx: np.ndarray, image: Volume, entropy: Volume | None) -> dict[str, Any]:
    """All measures of the one component that `mask_zyx` holds; everything is cropped to its box."""
    grid, hu = image.grid, image.voxels_zyx[mask_zyx]
    centroid = grid.points_xyz_mm(_mean_place(mask_zyx))[0]
    points = grid.points_xyz_mm(row_ends(mask_zyx))
    # Half a voxel on each side, along the patient's axes.
    voxel_xyz_mm = np.abs(grid.affine[:3, :3]).sum(axis=1)
    lowest, highest = points.min(axis=0) - voxel_xyz_mm / 2, points.max(axis=0) + voxel_xyz_mm / 2
    return {
        "voxels": int(hu.size),
        "volume_cm3": hu.size * grid.voxel_volume_mm3 / 1000,
        **{f"centroid_{axis}_mm": float(value) for axis, value in zip("xyz", centroid, strict=True)},
        **{f"extent_{axis}_mm": float(value) for axis, value in zip("xyz", highest - lowest, strict=True)},
        "box_xyz_mm": [lowest.tolist(), highest.tolist()],
        "voxel_xyz_mm": points[0].tolist(),
        "longest_diameter_mm": longest_distance_mm(points) + min(grid.spacing_xyz_mm),
        "mean_hu": float(hu.mean(dtype=np.float64)),
        "sd_hu": float(hu.std(dtype=np.float64)),
        "min_hu": float(hu.min()),
        "max_hu": float(hu.max()),
        "mean_entropy_bits": float(entropy.voxels_zyx[mask_zyx].mean()) / 255 if entropy else None,
    }


def _mean_place(mask_zyx: np.ndarray) -> np.ndarray:
    """The mean z, y, x index of the true voxels, from how many lie in each plane across an axis."""
    across = [np.count_nonzero(mask_zyx, axis=plane) for plane in ((1, 2), (0, 2), (0, 1))]
    return np.array([counts @ np.arange(counts.size) / counts.sum() for counts in across])


def row_ends(mask_zyx: np.ndarray) -> np.ndarray:
    """The z, y, x indices (n, 3) of the first and then of the last true voxel of each row along x.

    The convex hull of a mask and its extent in any direction are those of its row ends, which are far fewer.
    """
    zy = np.argwhere(mask_zyx.any(axis=2))
    rows = mask_zyx[tuple(zy.T)]
    last = mask_zyx.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([zy, rows.argmax(axis=1)]), np.column_stack([zy, last])])


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
