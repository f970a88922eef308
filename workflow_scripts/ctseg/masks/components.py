"""Connected components of a segmentation: their position, size and HU statistics."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import cc3d
import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from ctseg.digits import four_decimals
from ctseg.files import Format, write_table
from ctseg.geometry.mapped_arrays import by_slab
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.run_lengths import Components, Runs, component_sizes, find_components, read_runs, split_runs

CONNECTIVITY: Literal[26] = 26  # voxels that share a face, an edge or a corner belong together
PAIR_ROWS = 64  # points per block of the distance matrix

COLUMNS: dict[str, Format] = {
    "component": "d",
    "voxels": "d",
    "volume_cm3": four_decimals,
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
    """Array [z, y, x] with the connected components of a boolean mask numbered from 1; the background is 0."""
    # cc3d 4.1 runs out of labels if single voxels fill a thin array; an empty slice provides more.
    thin = [(0, int(size < 4)) for size in mask_zyx.shape]
    padded = np.pad(mask_zyx, thin) if min(mask_zyx.shape) < 4 else mask_zyx
    depth, rows, columns = mask_zyx.shape
    return cc3d.connected_components(padded, connectivity=CONNECTIVITY)[:depth, :rows, :columns]


def voxels_of_each(numbers_zyx: np.ndarray) -> np.ndarray:
    """Number of voxels (int64) of each component number, from 0, the background, on."""
    length = int(numbers_zyx.max(initial=0)) + 1
    # Slab by slab, since np.bincount copies its input to 8 bytes a voxel.
    counts = [np.bincount(numbers_zyx[part].ravel(), minlength=length) for part in by_slab(numbers_zyx)]
    return np.sum(counts, axis=0)


def voxels_in(volume_mm3: float, grid: Grid) -> float:
    """Number of voxels (float) in a volume, less a millionth, because the geometry of files is not more exact."""
    return volume_mm3 / grid.voxel_volume_mm3 * (1 - 1e-6)


def measure_components(segmentation: Volume, image: Volume, entropy: Volume | None = None) -> list[dict[str, Any]]:
    """One row per component of a segmentation (uint8, classes 1…n) on the grid of `image`; see `measure`."""
    return measure(find_components(segmentation.voxels_zyx), image, entropy)


def measure(components: Components, image: Volume, entropy: Volume | None = None) -> list[dict[str, Any]]:
    """One row per component, ordered by class and then by falling volume.

    `image` holds HU on the grid of the components. Each row has `label` (the class number) and the keys of `COLUMNS`.
    Positions are in LPS mm. `extent` is the size of the box along the patient's axes; `box_xyz_mm` has its lowest and
    highest corner, `voxel_xyz_mm` the centre of one voxel of the component. The longest diameter is the largest
    distance between voxel centres, plus the shortest voxel edge. The mean entropy is computed from an `entropy` map in
    255ths of a bit, and is None without a map. Memory grows with the surface of the components: the volumes are read
    slab by slab and may be mapped from files.
    """
    runs, of_run = components.runs, components.of_run
    hu = _statistics(runs, of_run, image.voxels_zyx)
    bits = _statistics(runs, of_run, entropy.voxels_zyx) if entropy else [None] * len(hu)
    rows = [
        {"label": int(piece.value[0]), "component": 0}
        | _place_and_size(piece, image.grid)
        | {f"{name}_hu": value for name, value in of_hu.items()}
        | {"mean_entropy_bits": of_bits["mean"] / 255 if of_bits else None}
        for piece, of_hu, of_bits in zip(split_runs(runs, of_run), hu, bits, strict=True)
    ]
    rows.sort(key=lambda row: (row["label"], -row["voxels"], *(round(row[f"centroid_{axis}_mm"], 3) for axis in "zyx")))
    for _, of_class in groupby(rows, key=itemgetter("label")):
        for number, row in enumerate(of_class, start=1):
            row["component"] = number
    return rows


def _place_and_size(runs: Runs, grid: Grid) -> dict[str, Any]:
    """Position and size columns of one component, in LPS mm and cm³."""
    voxels = int(runs.length.sum())
    centroid = grid.points_xyz_mm(_mean_place(runs))[0]
    points = grid.points_xyz_mm(row_ends(runs))
    # Extent of a voxel along the patient's axes; half of it is added on each side.
    voxel_xyz_mm = np.abs(grid.affine[:3, :3]).sum(axis=1)
    lowest, highest = points.min(axis=0) - voxel_xyz_mm / 2, points.max(axis=0) + voxel_xyz_mm / 2
    return {
        "voxels": voxels,
        "volume_cm3": voxels * grid.voxel_volume_mm3 / 1000,
        **{f"centroid_{axis}_mm": float(value) for axis, value in zip("xyz", centroid, strict=True)},
        **{f"extent_{axis}_mm": float(value) for axis, value in zip("xyz", highest - lowest, strict=True)},
        "box_xyz_mm": [lowest.tolist(), highest.tolist()],
        "voxel_xyz_mm": points[0].tolist(),
        "longest_diameter_mm": longest_distance_mm(points) + min(grid.spacing_xyz_mm),
    }


def _mean_place(runs: Runs) -> np.ndarray:
    """Mean z, y, x index of the voxels, float (3,)."""
    length = runs.length
    z, y = np.divmod(runs.row, runs.shape_zyx[1])
    return np.array([z @ length, y @ length, (runs.start + runs.stop - 1) @ length / 2]) / length.sum()


def _statistics(runs: Runs, components: np.ndarray, voxels_zyx: np.ndarray) -> list[dict[str, float]]:
    """Mean, standard deviation, minimum and maximum of the voxels of each component."""
    count = int(components.max(initial=-1)) + 1
    kind = np.result_type(voxels_zyx.dtype, np.int64)  # sums of integers are exact
    sums, squares = np.zeros(count, kind), np.zeros(count, kind)
    least, largest = np.full(count, np.inf), np.full(count, -np.inf)
    for part, values, begins in read_runs(runs, voxels_zyx):
        values, numbers = values.astype(kind), components[part]
        np.minimum.at(least, numbers, np.minimum.reduceat(values, begins).astype(float))
        np.maximum.at(largest, numbers, np.maximum.reduceat(values, begins).astype(float))
        np.add.at(sums, numbers, np.add.reduceat(values, begins))
        np.add.at(squares, numbers, np.add.reduceat(values * values, begins))
    sizes = component_sizes(runs, components)
    columns = (sizes.tolist(), sums.tolist(), squares.tolist(), least.tolist(), largest.tolist())
    return [
        # Python's integers are exact at any size.
        {"mean": total / n, "sd": max(n * square - total * total, 0) ** 0.5 / n, "min": low, "max": high}
        for n, total, square, low, high in zip(*columns, strict=True)
    ]


def row_ends(runs: Runs) -> np.ndarray:
    """Indices z, y, x (n, 3) of the first voxels, then of the last voxels, of all rows along x that contain runs.

    A component has the same convex hull and extents as its row ends, which are far fewer than its voxels.
    """
    first = np.flatnonzero(np.diff(runs.row, prepend=-1))
    last = np.append(first[1:], runs.row.size) - 1
    zy = np.column_stack(np.divmod(runs.row[first], runs.shape_zyx[1]))
    return np.concatenate([np.column_stack([zy, runs.start[first]]), np.column_stack([zy, runs.stop[last] - 1])])


def longest_distance_mm(points_xyz_mm: np.ndarray) -> float:
    """Largest distance between two of (n, 3) points in mm, measured between the corners of their convex hull."""
    if len(points_xyz_mm) < 2:
        return 0.0
    corners = points_xyz_mm
    if len(points_xyz_mm) > 8:
        try:
            corners = points_xyz_mm[ConvexHull(points_xyz_mm).vertices]
        except QhullError:  # all points in one plane or on one line: no 3-D hull
            axes = np.linalg.svd(points_xyz_mm - points_xyz_mm.mean(axis=0), full_matrices=False)[2]
            flat = (points_xyz_mm - points_xyz_mm.mean(axis=0)) @ axes[:2].T
            try:
                corners = points_xyz_mm[ConvexHull(flat).vertices]
            except QhullError:  # a line: its two ends
                corners = points_xyz_mm[[flat[:, 0].argmin(), flat[:, 0].argmax()]]
    # In blocks: a smooth organ has ten thousand corners, too many for all pairs at once.
    firsts = range(0, len(corners), PAIR_ROWS)
    return float(max(cdist(corners[first : first + PAIR_ROWS], corners[first:]).max() for first in firsts))


def volumes_cm3(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, float]:
    """Total volume of each class in cm³, by name: the sum over its components, not rounded."""
    return {
        name: float(sum(row["volume_cm3"] for row in rows if row["label"] == number))
        for number, name in enumerate(names, start=1)
    }


def write_components(rows: list[dict[str, Any]], names: list[str], path: str | Path) -> None:
    """Write the rows as a TSV with the names of the classes; only the header if there are no components.

    Values of None become empty cells.
    """
    write_table(path, {"label": "", **COLUMNS}, [row | {"label": names[row["label"] - 1]} for row in rows])
