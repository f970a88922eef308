"""Axes are permuted and flipped to those of another volume; every voxel keeps its position."""

from itertools import permutations, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctseg.geometry.axes import aligned
from ctseg.geometry.volume import Grid, Volume
from grids import counting, grids, turned

OBLIQUE = ((0.0, -0.6, -0.8), (-1.0, 0.0, 0.0), (0.0, 0.8, -0.6))
GRID = Grid((4, 5, 6), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), OBLIQUE)
VALUES = np.random.default_rng(0).integers(0, 5, GRID.shape_zyx)


@given(st.sampled_from(list(permutations(range(3)))), st.sampled_from(list(product([False, True], repeat=3))))
def test_turned_axes_are_turned_back_without_interpolation(order, flips):
    back = aligned(turned(Volume(VALUES, GRID), order, flips), GRID)
    assert back.grid.matches(GRID, 1e-6)
    np.testing.assert_array_equal(back.voxels_zyx, VALUES)


@given(grids(sheared=False), grids(sheared=False))
def test_each_voxel_keeps_its_place_or_nothing_is_done(grid, other):
    volume = counting(grid)
    found = aligned(volume, other)
    if found is volume:
        return
    places = np.argwhere(np.ones(found.grid.shape_zyx))
    before = np.rint(grid.indices_zyx(found.grid.points_xyz_mm(places))).astype(int)
    np.testing.assert_array_equal(found.voxels_zyx.ravel(), volume.voxels_zyx[tuple(before.T)])


def test_axes_that_are_not_parallel_stay():
    volume = Volume(VALUES, GRID)
    axial = Grid(GRID.shape_zyx, GRID.spacing_xyz_mm, GRID.origin_xyz_mm, ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    assert aligned(volume, axial) is volume


def test_the_turned_voxels_are_a_view():
    volume = turned(Volume(VALUES, GRID), (2, 0, 1), (True, False, True))
    assert np.shares_memory(aligned(volume, GRID).voxels_zyx, VALUES)
