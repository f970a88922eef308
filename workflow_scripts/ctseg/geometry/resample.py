"""Resampling, reorienting and cropping of volumes with their grid."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from ctseg.geometry.mapped_arrays import by_slab
from ctseg.geometry.volume import AIR_HU, Grid, Volume, whole_up

Box = tuple[slice, slice, slice]


def to_sitk(volume: Volume) -> sitk.Image:
    """SimpleITK image of a volume, with the same geometry in LPS mm; bool becomes uint8."""
    voxels = volume.voxels_zyx
    image = sitk.GetImageFromArray(voxels.astype(np.uint8) if voxels.dtype == bool else voxels)
    image.SetSpacing(volume.grid.spacing_xyz_mm)
    image.SetOrigin(volume.grid.origin_xyz_mm)
    image.SetDirection([value for row in volume.grid.direction for value in row])
    return image


def resample(volume: Volume, grid: Grid, fill: float = AIR_HU, interpolator: int = sitk.sitkLinear) -> Volume:
    """The volume interpolated (linearly by default) at the voxel centres of `grid`; `fill` outside of `volume`.

    The dtype is kept and integers are rounded; only bool becomes uint8, unless the grids match (volume unchanged).
    """
    if volume.grid.matches(grid, tolerance_mm=1e-6):
        return volume
    kind = volume.voxels_zyx.dtype
    # SimpleITK truncates interpolated integers towards zero, so it returns floats, which are rounded here.
    rounded = interpolator != sitk.sitkNearestNeighbor and np.issubdtype(kind, np.integer)
    image = to_sitk(volume)
    moved = sitk.Resample(
        image,
        grid.shape_zyx[::-1],
        sitk.Transform(),
        interpolator,
        grid.origin_xyz_mm,
        grid.spacing_xyz_mm,
        [value for row in grid.direction for value in row],
        fill,
        sitk.sitkFloat32 if rounded else image.GetPixelID(),
    )
    if rounded:
        return Volume(np.rint(sitk.GetArrayViewFromImage(moved)).astype(kind), grid)
    return Volume(sitk.GetArrayFromImage(moved), grid)


def resample_labels(labels: Volume, grid: Grid, n_classes: int) -> Volume:
    """Label map `[z, y, x]` (uint8, 0 background, 1…n_classes) resampled to `grid`; background outside of `labels`.

    Each class is interpolated linearly as a mask; a voxel gets the class that covers more than half of it. This
    preserves volumes better than nearest-neighbour interpolation. If a class covers exactly half, which is common when
    the spacing doubles, the nearest voxel decides: a fixed choice would thicken or thin every target.
    """
    if labels.grid.matches(grid, tolerance_mm=1e-6):
        return labels
    nearest = resample(labels, grid, fill=0, interpolator=sitk.sitkNearestNeighbor).voxels_zyx
    moved = np.zeros(grid.shape_zyx, dtype=np.uint8)
    for value in range(1, n_classes + 1):
        mask = labels.with_voxels((labels.voxels_zyx == value).astype(np.float32))
        share = resample(mask, grid, fill=0).voxels_zyx
        moved[(share > 0.5) | ((share == 0.5) & (nearest == value))] = value
    return Volume(moved, grid)


def orient(volume: Volume) -> Volume:
    """Permute and flip the axes so that x, y, z run as nearly as possible to left, back and head.

    Only the order of the voxels changes: every voxel keeps its position in the patient's space, and no value is
    interpolated. The voxels are a view. An oblique scan stays oblique.
    """
    # nibabel works with array axes (here x, y, z) and the axes of the affine's space, LPS here.
    orientation = nib.orientations.io_orientation(volume.grid.affine)
    voxels_xyz = nib.orientations.apply_orientation(volume.voxels_zyx.T, orientation)
    affine = volume.grid.affine @ nib.orientations.inv_ornt_aff(orientation, volume.voxels_zyx.T.shape)
    return Volume(voxels_xyz.T, Grid.from_affine(affine, voxels_xyz.T.shape))


def bounding_box(voxels_zyx: np.ndarray, above: float = 0) -> Box | None:
    """Smallest box around all voxels with a value greater than `above` (of a mask: true voxels); None without any."""
    hits = [np.zeros(size, dtype=bool) for size in voxels_zyx.shape]
    for part in by_slab(voxels_zyx):
        mask = np.greater(voxels_zyx[part], above)
        columns = mask.any(axis=0)
        hits[0][part] = mask.any(axis=(1, 2))
        hits[1] |= columns.any(axis=1)
        hits[2] |= columns.any(axis=0)
    if not hits[0].any():
        return None
    z, y, x = (np.flatnonzero(along) for along in hits)
    return slice(int(z[0]), int(z[-1]) + 1), slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


def grow_box(box_zyx: Box, margin_mm: float, grid: Grid) -> Box:
    """The box grown on each side by `margin_mm`, rounded up to whole voxels (to `LEEWAY_VOXELS`), cut at the grid."""
    margins = [whole_up(margin_mm / spacing) for spacing in grid.spacing_zyx_mm]
    grown = [
        slice(max(0, axis.start - margin), min(size, axis.stop + margin))
        for axis, margin, size in zip(box_zyx, margins, grid.shape_zyx, strict=True)
    ]
    return grown[0], grown[1], grown[2]
