"""Reading labels in any of the accepted formats as classes on the grid of their image."""

from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.scan import is_volume_file, read_volume_file
from ctseg.volume import Grid, Volume, require_same_grid


def read_label(
    path: str | Path,
    labels: dict[str, int],
    roi_names: dict[str, str],
    grid: Grid,
    image_name: str,
    missing_ok: bool = False,
) -> Volume:
    """Read a label as uint8 classes `[z, y, x]` on the image's grid: 0 is background, the n-th of `labels` is n.

    `path` is a NIfTI, NRRD, MHA or MHD file, in which each label has the value that `labels` gives, or an RTSTRUCT (or
    a folder with one), in which it has its own name or the one that `roi_names` gives; where ROIs overlap, the later
    label wins. Raises InputError when the label does not lie on `grid`, an ROI is not there, or no voxel belongs to
    any label; the last two are allowed with `missing_ok`.
    """
    source = Path(path)
    if is_volume_file(source):
        volume = aligned(read_volume_file(source), grid)
        require_same_grid(volume.grid, grid, str(source), image_name, _tolerance_mm(grid))
        classes = _classes_of_values(volume.voxels_zyx, labels, str(source))
    else:
        classes = _classes_of_rois(_rtstruct_file(source), labels, roi_names, grid, image_name, missing_ok)
    if not missing_ok and not classes.any():
        raise InputError(
            f"{source} has no voxel of {', '.join(labels)}: check target.labels, or set convert.missing_label to allow "
            "if the case has no target"
        )
    return Volume(classes, grid)


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


def _tolerance_mm(grid: Grid) -> float:
    """How far apart corresponding voxels may lie: headers are rounded, so 2 % of a voxel, and 0.05 mm at least."""
    return max(0.05, 0.02 * min(grid.spacing_xyz_mm))


def _classes_of_values(voxels_zyx: np.ndarray, labels: dict[str, int], name: str) -> np.ndarray:
    """Number the values of `labels` from 1 on; other values become 0. InputError unless all values are whole."""
    if voxels_zyx.dtype.kind not in "buif":
        raise InputError(f"{name} holds values of type {voxels_zyx.dtype}, not label numbers")
    if voxels_zyx.dtype.kind == "f" and not np.array_equal(voxels_zyx, np.rint(voxels_zyx)):
        raise InputError(f"{name} holds values that are no whole numbers: it is no label map but perhaps probabilities")
    classes = np.zeros(voxels_zyx.shape, dtype=np.uint8)
    for index, value in enumerate(labels.values(), start=1):
        classes[voxels_zyx == value] = index
    return classes


def _classes_of_rois(
    path: Path, labels: dict[str, int], roi_names: dict[str, str], grid: Grid, image_name: str, missing_ok: bool
) -> np.ndarray:
    """Number the ROIs of an RTSTRUCT from 1 on, in the order of `labels`."""
    from ctseg.rtstruct import rasterise, read_contours  # pydicom takes 0.3 s to import

    wanted = [roi_names.get(label, label) for label in labels]
    contours = read_contours(path, wanted, missing_ok)
    classes = np.zeros(grid.shape_zyx, dtype=np.uint8)
    for index, name in enumerate(wanted, start=1):
        classes[rasterise(contours[name], grid, f"{name} in {path}", image_name)] = index
    return classes


def _rtstruct_file(path: Path) -> Path:
    """The RTSTRUCT file at `path`: itself, or the only one in the folder. InputError for all else."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    from ctseg.dicom_header import list_headers, open_dicom  # pydicom takes 0.3 s to import

    if not path.is_dir():
        header = open_dicom(path)
        kind = header.text("Modality") if header else "no DICOM"
        if kind == "RTSTRUCT":
            return path
        raise InputError(f"{path} is no label that ctseg reads ({kind}): give NIfTI, NRRD, MHA, MHD or RTSTRUCT")
    found = [header.path for header in list_headers(path) if header.text("Modality") == "RTSTRUCT"]
    if len(found) != 1:
        raise InputError(f"{path} holds {len(found)} RTSTRUCT files; give the file itself")
    return found[0]
