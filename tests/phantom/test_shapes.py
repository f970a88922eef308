"""Shapes keep their sizes on any grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balls import ball_volume_mm3
from ctseg.phantom.shapes import Axes, Tubes, add_tubes, coverage, ellipsoid, paint, smooth_max, smooth_min


def test_a_tube_fills_its_volume_wherever_it_lies() -> None:
    at = np.arange(-20, 21, dtype=np.float32)
    axes = Axes(at, at, at)
    share = np.zeros(axes.shape_zyx, np.float32)
    add_tubes(share, axes, Tubes.line([(-9.3, -4, 2), (8, 7, -6.5)], [3, 3]), 1.0)
    length = np.linalg.norm(np.subtract((8, 7, -6.5), (-9.3, -4, 2)))
    assert share.sum() == pytest.approx(np.pi * 9 * length + ball_volume_mm3(6), rel=0.02)


def test_tubes_beyond_the_grid_are_cut_off_and_thin_ones_fill_no_voxel() -> None:
    at = np.arange(10, dtype=np.float32)
    axes = Axes(at, at, at)
    share = np.zeros(axes.shape_zyx, np.float32)
    add_tubes(share, axes, Tubes.line([(-50, 5, 5), (50, 5, 5)], [0.2, 0.2]), 1.0)
    add_tubes(share, axes, Tubes.line([(90, 90, 90), (99, 99, 99)], [2, 2]), 1.0)
    assert share.max() == pytest.approx(np.pi * 0.2**2, rel=1e-5)
    assert (share[5, 5] > 0).all()


def test_shapes_keep_their_sizes() -> None:
    at = np.arange(-30, 31, dtype=np.float32)
    offsets = at[None, None, :], at[None, :, None], at[:, None, None]
    share = coverage(ellipsoid(offsets, (20.0, 12.0, 9.0)), 1.0)
    assert share.sum() == pytest.approx(4 / 3 * np.pi * 20 * 12 * 9, rel=0.01)
    first, second = np.float32([-5, 0, 4]), np.float32([-9, 0, -4])
    assert (smooth_max(first, second, 3.0) >= np.maximum(first, second)).all()
    assert smooth_max(first, second, 3.0)[0] == -5


AT = np.arange(10, dtype=np.float32)


@given(st.tuples(*[st.floats(-5, 15, width=32)] * 3), st.tuples(*[st.floats(0, 12, width=32)] * 3))
def test_a_box_holds_the_centres_between_its_corners(low, size):
    high = np.add(low, size)
    box = Axes(AT, AT, AT).box(low, high)
    for part, first, last in zip(box, low[::-1], high[::-1], strict=True):
        assert AT[part].tolist() == [at for at in AT if first <= at < last]


def test_a_box_opens_to_coordinates_that_broadcast_to_its_shape():
    axes = Axes(AT, AT[:8] * 2, AT[:6] * 3)
    x, y, z = axes.open((slice(1, 3), slice(2, 6), slice(0, 5)))
    assert np.broadcast_shapes(x.shape, y.shape, z.shape) == (2, 4, 5)
    assert (x.ravel()[1], y.ravel()[0], z.ravel()[0]) == (3, 4, 1)
    assert axes.shape_zyx == (10, 8, 6)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.1, 10))
def test_rounded_edges_lie_between_sharp_ones_and_a_quarter_of_the_width(first, second, width):
    one, other = np.float32([first]), np.float32([second])
    rounding = float((smooth_max(one, other, width) - np.maximum(one, other))[0])
    assert -1e-5 <= rounding <= width / 4 + 1e-5
    np.testing.assert_allclose(smooth_min(one, other, width), -smooth_max(-one, -other, width))
    if abs(first - second) > width:
        assert rounding == 0


def test_a_voxel_is_filled_by_the_share_on_the_inner_side():
    distances = np.float32([-5, -1, -0.5, 0, 0.5, 1, 5])
    assert coverage(distances, 2.0).tolist() == [1, 1, 0.75, 0.5, 0.25, 0, 0]
    hu = np.float32([-1000, -1000, -1000])
    paint(hu, np.float32([0, 0.25, 1]), 200.0)
    assert hu.tolist() == [-1000, -700, 200]


def test_sets_of_tubes_are_joined_grown_and_taken():
    first = Tubes.line([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [3, 2, 1])
    both = Tubes.join([first, Tubes.line([(5, 5, 5), (6, 6, 6)], [1, 1])])
    assert both.start_radius_mm.tolist() == [3, 2, 1]
    assert both.grown(0.5).end_radius_mm.tolist() == [2.5, 1.5, 1.5]
    assert both.take(np.array([2])).start_xyz_mm.tolist() == [[5, 5, 5]]
