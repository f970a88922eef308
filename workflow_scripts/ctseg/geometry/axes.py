"""Reorder and flip the axes of a volume to the axes of another grid."""

import numpy as np

from ctseg.geometry.volume import Grid, Volume


def aligned(volume: Volume, grid: Grid) -> Volume:
    """Permute and flip the axes of `volume` to run along the axes of `grid`; a view, without interpolation.

    A volume with axes that are not parallel to the axes of `grid` is returned unchanged.
    """
    turn = np.linalg.solve(grid.affine[:3, :3] / grid.spacing_xyz_mm, volume.grid.affine[:3, :3])
    turn = turn / volume.grid.spacing_xyz_mm
    signed = np.rint(turn)
    if np.abs(turn - signed).max() > 0.01 or (np.abs(signed).sum(axis=0) != 1).any():
        return volume
    order_xyz = np.abs(signed).argmax(axis=1)  # for each axis of the grid, the parallel axis of the volume
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
