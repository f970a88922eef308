import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctseg.geometry.volume import Grid
from ctseg.masks.balls import mark_ball
from grids import grids

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def ball(grid: Grid, centre_xyz_mm, diameter_mm: float) -> np.ndarray:
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mark_ball(mask, grid, np.asarray(centre_xyz_mm, dtype=float), diameter_mm)
    return mask


def test_a_ball_has_its_volume():
    grid = Grid((80, 90, 100), (0.5, 0.6, 0.7), (-25.0, -27.0, -28.0), IDENTITY)
    mask = ball(grid, (0.2, 0.1, -0.3), 30)
    assert mask.sum() * grid.voxel_volume_mm3 == pytest.approx(np.pi / 6 * 30**3, rel=0.005)
    np.testing.assert_allclose(grid.points_xyz_mm(np.argwhere(mask)).mean(axis=0), (0.2, 0.1, -0.3), atol=0.05)


@given(grids(), st.tuples(*[st.floats(-0.2, 1.2)] * 3), st.floats(0.1, 40))
def test_it_holds_the_centres_inside_and_the_nearest_voxel(grid, share, diameter_mm):
    middle = np.asarray(share) * (np.asarray(grid.shape_zyx) - 1)
    assume((np.abs(middle % 1 - 0.5) > 1e-6).all())  # at half distance, rounding decides which voxel is nearest
    centre = grid.points_xyz_mm(middle)[0]
    mask = ball(grid, centre, diameter_mm)
    points = grid.points_xyz_mm(np.array(list(np.ndindex(*grid.shape_zyx))))
    distance = np.linalg.norm(points - centre, axis=1).reshape(grid.shape_zyx)
    nearest = np.rint(middle).astype(int)
    there = (nearest >= 0).all() and (nearest < grid.shape_zyx).all()
    assert mask[distance < diameter_mm / 2 - 1e-6].all()
    assert (distance[mask] > diameter_mm / 2 + 1e-6).sum() <= there
    assert not there or mask[tuple(nearest)]
