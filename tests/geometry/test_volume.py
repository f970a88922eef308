import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, require_same_grid
from grids import counting, grids


@given(grids())
def test_indices_and_points_are_inverse(grid):
    indices = np.array([[0, 0, 0], [1.5, 2.25, -3], np.array(grid.shape_zyx) - 1], dtype=float)
    np.testing.assert_allclose(grid.indices_zyx(grid.points_xyz_mm(indices)), indices, atol=1e-9)


def test_a_singular_geometry_is_refused():
    with pytest.raises(InputError, match="geometry"):
        Grid.from_affine(np.diag([1, 0, 1, 1.0]), (2, 2, 2))
    with pytest.raises(InputError, match="geometry"):
        Grid.from_affine(np.full((4, 4), np.nan), (2, 2, 2))


def test_grids_that_differ_are_named_with_their_boxes():
    grid = Grid((2, 3, 4), (1, 1, 1), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    moved = Grid((2, 3, 4), (1, 1, 1), (0, 0, 50), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    require_same_grid(grid, grid, "a", "b")
    with pytest.raises(InputError, match=r"a and b do not lie on one grid.*z 0\.0…1\.0.*z 50\.0…51\.0"):
        require_same_grid(grid, moved, "a", "b")
    near = Grid((2, 3, 4), (1, 1, 1), (0, 0, 0.02), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(InputError, match=r"one grid: their voxels lie up to 0\.02 mm apart, 0\.01 mm are allowed"):
        require_same_grid(grid, near, "a", "b", 0.01)


@given(grids(), st.tuples(*[st.floats(0.5, 4)] * 3))
def test_another_spacing_keeps_the_middle(grid, spacing_xyz_mm):
    other = grid.with_spacing(spacing_xyz_mm)
    middle, other_middle = (g.points_xyz_mm((np.array(g.shape_zyx) - 1) / 2)[0] for g in (grid, other))
    np.testing.assert_allclose(other_middle, middle, atol=1e-6)
    assert other.spacing_xyz_mm == pytest.approx(spacing_xyz_mm)


@given(grids())
def test_a_crop_keeps_each_voxel_in_its_place(grid):
    volume = counting(grid)
    box = tuple(slice(size // 3, size) for size in grid.shape_zyx)
    part = volume.cropped(box)
    whole_point = grid.points_xyz_mm(np.array([[axis.start for axis in box]]))
    np.testing.assert_allclose(part.grid.points_xyz_mm(np.zeros((1, 3))), whole_point, atol=1e-9)
    assert part.voxels_zyx[0, 0, 0] == volume.voxels_zyx[tuple(axis.start for axis in box)]
