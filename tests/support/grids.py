"""Random grids for property tests."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ctseg.geometry.volume import Grid, Volume


@st.composite
def grids(draw, sheared=True, largest=9):
    """Grids of any orientation: oblique, flipped, anisotropic, and tilted like a gantry if `sheared`."""
    shape = tuple(draw(st.integers(2, largest)) for _ in range(3))
    spacing = np.array([draw(st.floats(0.4, 5)) for _ in range(3)])
    rotation = Rotation.from_euler("xyz", [draw(st.floats(-180, 180)) for _ in range(3)], degrees=True).as_matrix()
    flips = np.diag([draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)])
    shear = np.eye(3)
    if sheared:
        shear[1, 2] = draw(st.floats(-0.4, 0.4))
    affine = np.eye(4)
    affine[:3, :3] = rotation @ flips @ shear @ np.diag(spacing)
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return Grid.from_affine(affine, shape)


def turned(volume: Volume, order_xyz: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The volume with flipped and permuted axes; every voxel keeps its position."""
    affine, voxels = volume.grid.affine.copy(), volume.voxels_zyx.T
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
            affine[:3, axis] *= -1
            voxels = np.flip(voxels, axis)
    affine[:3, :3] = affine[:3, order_xyz]
    voxels = voxels.transpose(order_xyz).T
    return Volume(voxels, Grid.from_affine(affine, voxels.shape))


def counting(grid):
    """Volume with voxels numbered from 0, int16."""
    return Volume(np.arange(np.prod(grid.shape_zyx), dtype=np.int16).reshape(grid.shape_zyx), grid)
