"""Balls on a grid, for archives that describe a nodule only by its centre and diameter."""

import numpy as np

from ctseg.geometry.volume import Grid


def mark_ball(mask_zyx: np.ndarray, grid: Grid, centre_xyz_mm: np.ndarray, diameter_mm: float) -> None:
    """Set the voxels of `mask_zyx` with centres in the ball, in place, and always the voxel nearest to its centre.

    The centre is (3,) in LPS mm. The part of the ball outside of the grid is cut; the grid may be oblique.
    """
    middle = grid.indices_zyx(centre_xyz_mm)[0]
    # Half extent of the ball along z, y, x in voxels: the length of the rows of the inverse affine, times the radius.
    reach = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)[::-1] * diameter_mm / 2
    low = np.clip(np.floor(middle - reach), 0, grid.shape_zyx).astype(int)
    stop = np.clip(np.ceil(middle + reach) + 1, low, grid.shape_zyx).astype(int)
    near = tuple(slice(first, end) for first, end in zip(low, stop, strict=True))
    indices = np.stack(np.meshgrid(*[np.arange(axis.start, axis.stop) for axis in near], indexing="ij"), axis=-1)
    distances_mm = np.linalg.norm(grid.points_xyz_mm(indices.reshape(-1, 3)) - centre_xyz_mm, axis=1)
    mask_zyx[near] |= (distances_mm <= diameter_mm / 2).reshape(indices.shape[:3])
    nearest = np.rint(middle).astype(int)
    if (nearest >= 0).all() and (nearest < grid.shape_zyx).all():
        mask_zyx[tuple(nearest)] = True
