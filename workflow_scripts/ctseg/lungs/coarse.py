"""Coarse working grid of the lung field, with axes to left, back and head, and resampling to the scan's grid."""

import numpy as np

from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import bounding_box, orient, resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume, whole_down

WORKING_SPACING_MM = 2.5
# Value of a coarse voxel inside the field, an integer, since uint8 takes a quarter of a float's memory; and half of it,
# less one, so that exactly half counts as inside in spite of rounding errors of the interpolation.
FULL, HALF = 200, 99
SURE, SURE_NOT = 0.85, 0.3  # probabilities from which on, and up to which, the network corrects the threshold's field


def with_ends(share: Volume) -> Volume:
    """A coarse field with its first and last slice repeated.

    The coarse voxels may end before the scan's last slice, but lungs that the scan cuts continue to this slice.
    """
    slices, rows, columns = share.grid.shape_zyx
    ends = share.grid.cropped((slice(-1, slices + 1), slice(0, rows), slice(0, columns)))
    return Volume(np.pad(share.voxels_zyx, ((1, 1), (0, 0), (0, 0)), mode="edge"), ends)


def coarse_image(image: Volume) -> Volume:
    """The image as float32 with axes to left, back and head, averaged in blocks, at the working spacing or coarser."""
    oriented = orient(image)
    sizes = zip(oriented.grid.spacing_zyx_mm, oriented.grid.shape_zyx, strict=True)
    factors = [min(size, max(1, whole_down(WORKING_SPACING_MM / spacing))) for spacing, size in sizes]
    voxels = _block_mean(oriented.voxels_zyx, factors)
    # The first coarse voxel is at the centre of the first block.
    affine = oriented.grid.affine.copy()
    affine[:3, 3] = oriented.grid.points_xyz_mm(np.array([[(factor - 1) / 2 for factor in factors]]))[0]
    affine[:3, :3] *= factors[::-1]
    blocks = Volume(voxels, Grid.from_affine(affine, voxels.shape))
    spacing = tuple(max(WORKING_SPACING_MM, value) for value in blocks.grid.spacing_xyz_mm)
    return resample(blocks, blocks.grid.with_spacing(spacing), fill=AIR_HU)  # type: ignore[arg-type]


def _block_mean(voxels_zyx: np.ndarray, factors: list[int]) -> np.ndarray:
    """Means of blocks, float32 [z, y, x]; voxels of an incomplete block at the end are left out."""
    if all(factor == 1 for factor in factors):
        return voxels_zyx.astype(np.float32)
    (fz, fy, fx), shape = factors, [size // factor for size, factor in zip(voxels_zyx.shape, factors, strict=True)]
    total = np.zeros(shape, dtype=np.float32)
    for number, plane in enumerate(total):
        for z, y, x in np.ndindex(fz, fy, fx):
            plane += voxels_zyx[number * fz + z, y : shape[1] * fy : fy, x : shape[2] * fx : fx]
        mapped_arrays.let_go(voxels_zyx)
    return total / (fz * fy * fx)


def on_grid(share: Volume, grid: Grid) -> np.ndarray:
    """A coarse field at the voxels of `grid` (uint8, 1 inside), interpolated only in the box that may contain it.

    `share` is the share of each voxel in the field, uint8 of 0…`FULL`, with axes to left, back and head.
    """
    lungs, coarse = share.voxels_zyx, share.grid
    field = mapped_arrays.zeros(grid.shape_zyx, np.uint8)
    box = bounding_box(lungs)
    if box is None:
        return field
    scaled = with_ends(share)
    z, y, x = (slice(axis.start - 2, axis.stop + 2) for axis in box)
    corners = grid.indices_zyx(coarse.cropped((z, y, x)).corners_xyz_mm())
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, grid.shape_zyx)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, grid.shape_zyx)
    z, y, x = (slice(int(first), int(stop)) for first, stop in zip(low, high, strict=True))
    part = Volume(field, grid).cropped((z, y, x))
    _, height, width = part.grid.shape_zyx
    for some in mapped_arrays.by_slab(part.voxels_zyx):
        slab = part.grid.cropped((some, slice(0, height), slice(0, width)))
        part.voxels_zyx[some] = resample(scaled, slab, fill=0).voxels_zyx >= HALF
    return field
