"""Simple chest with known lungs, and the same scan with permuted and flipped axes."""

from functools import cache

import numpy as np

from ctseg.geometry.volume import Grid, Volume

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CENTRES_XYZ_MM = ((-75, 0, 0), (75, 0, 0))
RADII_XYZ_MM = (50, 65, 90)
LUNGS_CM3 = 2 * 4 / 3 * np.pi * np.prod(RADII_XYZ_MM) / 1000


def ellipsoid(points, centre, radii):
    return (((points - centre) / radii) ** 2).sum(axis=-1) <= 1


@cache
def chest(spacing_mm=3.0, nodule_radius_mm=8.0):
    """Scan (tissue of 40 HU), and masks [z, y, x] of lungs, trachea and nodule (at the outer pleura, left lung)."""
    spacing = np.full(3, spacing_mm)
    shape_xyz = (np.array([360, 240, 260]) / spacing).astype(int)
    origin = -(shape_xyz - 1) / 2 * spacing
    grid = Grid(tuple(shape_xyz[::-1].tolist()), tuple(spacing.tolist()), tuple(origin.tolist()), IDENTITY)
    points = grid.points_xyz_mm(np.array(list(np.ndindex(*grid.shape_zyx)))).reshape(*grid.shape_zyx, 3)
    x, y, z = np.moveaxis(points, -1, 0)
    hu = np.where((x / 165) ** 2 + (y / 105) ** 2 <= 1, 40, -1000)
    lungs = np.any([ellipsoid(points, centre, RADII_XYZ_MM) for centre in CENTRES_XYZ_MM], axis=0)
    trachea = (np.hypot(x, y) <= 8) & (z > 0) & (z < 110)
    nodule = lungs & (np.linalg.norm(points - [125, 0, 0], axis=-1) <= nodule_radius_mm)
    hu[lungs], hu[trachea], hu[nodule] = -850, -1000, 30
    return Volume(hu.astype(np.int16), grid), lungs, trachea, nodule


def rearranged(volume, order_zyx, flips):
    """The scan stored with the axes in the order `order_zyx`, then flipped along the axes `flips`."""
    affine = volume.grid.affine[:, [2 - order_zyx[2], 2 - order_zyx[1], 2 - order_zyx[0], 3]].copy()
    voxels = volume.voxels_zyx.transpose(order_zyx)
    for axis in flips:
        column = 2 - axis
        affine[:, 3] += affine[:, column] * (voxels.shape[axis] - 1)
        affine[:, column] *= -1
        voxels = np.flip(voxels, axis)
    return Volume(voxels, Grid.from_affine(affine, voxels.shape))
