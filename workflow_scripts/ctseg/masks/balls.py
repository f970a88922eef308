"""Balls on a grid: what an archive says of a nodule by its centre and diameter alone."""

import numpy as np

from ctseg.geometry.volume import Grid


def mark_ball(mask_zyx: np.ndarray, grid: Grid, centre_xyz_mm: np.ndarray, diameter_mm: float) -> None:
    """Set the voxels of `mask_zyx` whose centres lie in the ball, and the nearest one however small the ball is.

    The centre is given in LPS mm. What lies outside of the grid is cut; the grid may be oblique.
    """
    middle = grid.indices_zyx(centre_xyz_mm)[0]
    # How far the ball reaches along each index: the length of the rows of the inverse affine, times the radius.
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
