"""Grouping of slices by size and by orientation, within rounding errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ctseg.dicom.alike import by_orientation, by_size, same_axes, same_size, turned_deg
from small_series import grid_of, slice_of

GRID = grid_of(4, shape_yx=(400, 500))
STRAIGHT = slice_of(GRID)
ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)


def turned(part, rotation: Rotation):
    return replace(part, rows_columns=part.rows_columns @ rotation.as_matrix().T)


def in_plane(degrees: float):
    return turned(STRAIGHT, Rotation.from_euler("z", degrees, degrees=True))


@given(ANGLES, ANGLES)
def test_the_angle_is_that_of_the_rotation_between_both(first, second):
    frames = [Rotation.from_euler("xyz", angles, degrees=True) for angles in (first, second)]
    expected_deg = np.degrees((frames[1] * frames[0].inv()).magnitude())
    assert turned_deg(turned(STRAIGHT, frames[0]), turned(STRAIGHT, frames[1])) == pytest.approx(expected_deg, abs=1e-4)


def test_sizes_are_the_same_to_rounding():
    assert same_size(STRAIGHT, replace(STRAIGHT, spacing_xy_mm=(0.70003, 0.9)))
    assert not same_size(STRAIGHT, replace(STRAIGHT, spacing_xy_mm=(0.701, 0.9)))
    assert not same_size(STRAIGHT, replace(STRAIGHT, shape_yx=(400, 501)))


def test_axes_are_the_same_where_the_far_corner_moves_less_than_a_voxel():
    """The diagonal of the slice (500 · 0.7 by 400 · 0.9 mm) is 502 mm; 0.75 voxels are 0.525 mm."""
    limit_deg = np.degrees(0.525 / np.hypot(350, 360))
    assert same_axes(STRAIGHT, in_plane(0.98 * limit_deg))
    assert not same_axes(STRAIGHT, in_plane(1.02 * limit_deg))


def test_a_small_image_may_not_be_turned_at_will():
    small = slice_of(grid_of(4))
    assert same_axes(small, turned(small, Rotation.from_euler("z", 0.5, degrees=True)))
    assert not same_axes(small, turned(small, Rotation.from_euler("z", 0.7, degrees=True)))


@given(st.lists(st.sampled_from([(5, 6), (6, 5), (7, 7)]), min_size=1, max_size=12))
def test_each_slice_is_in_one_group_of_its_size_and_the_largest_group_comes_first(shapes):
    groups = by_size([replace(STRAIGHT, shape_yx=shape) for shape in shapes])
    assert [{part.shape_yx for part in group} for group in groups] == [{group[0].shape_yx} for group in groups]
    counts = [len(group) for group in groups]
    assert counts == sorted((shapes.count(shape) for shape in set(shapes)), reverse=True)


def test_slices_that_differ_by_rounding_become_one_group_with_one_orientation():
    parts = [in_plane(degrees) for degrees in (10, 10.001, 10.002, 10.003, 10.004)]
    (group,) = by_orientation(parts)
    for part in group:
        np.testing.assert_array_equal(part.rows_columns, parts[2].rows_columns)


@pytest.mark.parametrize(("n_straight", "taken_deg"), [(2, 0.0), (1, 0.002)])
def test_the_patients_own_axes_are_taken_where_a_quarter_of_the_slices_has_them(n_straight, taken_deg):
    parts = [in_plane(0)] * n_straight + [in_plane(0.002)] * 5
    (group,) = by_orientation(parts)
    np.testing.assert_allclose(group[0].rows_columns, in_plane(taken_deg).rows_columns, atol=1e-12)


def test_other_views_are_other_groups():
    groups = by_orientation([in_plane(0), in_plane(90), in_plane(90.001), in_plane(90.002)])
    assert [len(group) for group in groups] == [3, 1]
