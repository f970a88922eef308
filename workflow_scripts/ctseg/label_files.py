"""Masks in volume files: one file with a value for each label, or a folder with one file for each label."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.formats import NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file
from ctseg.structure_names import find_structures
from ctseg.volume import Grid, Volume, require_same_grid
from ctseg.volume_files import read_volume_file

WHOLE_NUMBER = 1e-3  # by which a label value in floating point may differ from a whole number
INSIDE = 0.5  # from which a voxel of a mask for one label is inside, so that 255 and a probability mean what they say


def read_label_map(
    path: Path, labels: Mapping[str, int], grid: Grid, image_name: str, tolerance_mm: float
) -> np.ndarray:
    """Number the values of `labels` from 1 on, `[z, y, x]`; other values become 0.

    Raises InputError when the file does not lie on `grid` or its values are no whole numbers.
    """
    voxels = _on_grid(path, grid, image_name, tolerance_mm)
    if voxels.dtype.kind == "f" and not (np.abs(voxels - np.rint(voxels)) <= WHOLE_NUMBER).all():
        raise InputError(f"{path} holds values that are no whole numbers: it is no label map but perhaps probabilities")
    whole = np.rint(voxels) if voxels.dtype.kind == "f" else voxels
    classes = np.zeros(voxels.shape, dtype=np.uint8)
    for index, value in enumerate(labels.values(), start=1):
        classes[whole == value] = index
    return classes


def read_mask_folder(
    folder: Path,
    wanted: Mapping[str, Sequence[str]],
    grid: Grid,
    image_name: str,
    tolerance_mm: float,
    missing_ok: bool = False,
) -> dict[str, np.ndarray]:
    """For each label of `wanted` the bool mask `[z, y, x]` of all files that it names, without their suffixes.

    Raises InputError when a file is not there (unless `missing_ok`) or does not lie on `grid`.
    """
    files = mask_files(folder)
    names = [_stem(path) for path in files]
    masks = {}
    for label, patterns in wanted.items():
        masks[label] = np.zeros(grid.shape_zyx, dtype=bool)
        for place in find_structures(names, patterns, str(folder), "file", missing_ok):
            voxels = _on_grid(files[place], grid, image_name, tolerance_mm)
            masks[label] |= np.nan_to_num(voxels) >= INSIDE if voxels.dtype.kind == "f" else voxels > 0
    return masks


def mask_files(folder: Path) -> list[Path]:
    """The volume files of a folder, sorted."""
    return sorted(path for path in folder.iterdir() if is_volume_file(path) and not path.name.startswith("."))


def aligned(volume: Volume, grid: Grid) -> Volume:
    """Permute and flip the axes of `volume` to run along those of `grid`; no value is interpolated (a view).

    A volume whose axes are not parallel to those of `grid` is returned as it is.
    """
    turn = np.linalg.solve(grid.affine[:3, :3] / grid.spacing_xyz_mm, volume.grid.affine[:3, :3])
    turn = turn / volume.grid.spacing_xyz_mm
    signed = np.rint(turn)
    if np.abs(turn - signed).max() > 0.01 or (np.abs(signed).sum(axis=0) != 1).any():
        return volume
    order_xyz = np.abs(signed).argmax(axis=1)  # for each axis of the grid, the one of the volume that runs along it
    if len(set(order_xyz.tolist())) < 3:
        return volume
    affine, voxels_xyz = volume.grid.affine, volume.voxels_zyx.T
    moved = affine.copy()
    for axis, source in enumerate(order_xyz):
        sign = signed[axis, source]
        moved[:3, axis] = affine[:3, source] * sign
        if sign < 0:
            moved[:3, 3] += affine[:3, source] * (voxels_xyz.shape[source] - 1)
            voxels_xyz = np.flip(voxels_xyz, source)
    voxels_zyx = voxels_xyz.transpose(order_xyz).T
    return Volume(voxels_zyx, Grid.from_affine(moved, voxels_zyx.shape))


def _on_grid(path: Path, grid: Grid, image_name: str, tolerance_mm: float) -> np.ndarray:
    """The numbers of a file whose voxels lie on `grid`, in the order of its axes."""
    volume = aligned(read_volume_file(path), grid)
    require_same_grid(volume.grid, grid, str(path), image_name, tolerance_mm)
    if volume.voxels_zyx.dtype.kind not in "buif":
        raise InputError(f"{path} holds values of type {volume.voxels_zyx.dtype}, not label numbers")
    return volume.voxels_zyx


def _stem(path: Path) -> str:
    """The name of a volume file without its suffix."""
    name = path.name
    for suffix in sorted(NIFTI_SUFFIXES + SITK_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
