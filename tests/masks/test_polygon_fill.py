"""Polygons fill the pixels with their centre inside; areas are interpolated between planes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contours import box, circle
from ctseg.masks.polygon_fill import between, fill_even_odd


def test_a_box_holds_the_pixels_whose_centres_it_holds():
    mask = fill_even_odd([box(1.5, 4.5)], (8, 9))
    expected = np.zeros((8, 9), dtype=bool)
    expected[2:5, 2:5] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_disc_has_its_area():
    mask = fill_even_odd([circle(60, (100.3, 99.6))], (200, 200))
    yy, xx = np.mgrid[:200, :200]
    distance = np.hypot(yy - 100.3, xx - 99.6)
    assert mask[distance < 59.95].all() and not mask[distance > 60.05].any()
    assert mask.sum() == pytest.approx(np.pi * 60**2, rel=0.003)


def test_holes_islands_and_keyholes():
    ring = fill_even_odd([box(1.5, 20.5), box(5.5, 15.5), box(8.5, 10.5)], (30, 30))
    assert ring.sum() == 19**2 - 10**2 + 2**2
    outer, inner = box(1.5, 20.5), box(5.5, 15.5)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    np.testing.assert_array_equal(fill_even_odd([keyhole], (30, 30)), fill_even_odd([outer, inner], (30, 30)))


def test_neighbours_neither_overlap_nor_leave_a_gap():
    left, right = box(2, 10), box(2, 10) + np.array([0, 8])
    masks = [fill_even_odd([polygon], (20, 20)) for polygon in (left, right)]
    assert not (masks[0] & masks[1]).any()
    assert (masks[0] | masks[1]).sum() == 8 * 16


def test_what_leaves_the_image_is_cut():
    mask = fill_even_odd([box(-3.5, 5.5), box(17.5, 99)], (20, 20))
    assert mask[:6, :6].all() and mask[18:, 18:].all() and mask.sum() == 36 + 4


@given(st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 25)), min_size=3, max_size=12))
def test_any_polygon_agrees_with_the_crossing_rule(corners):
    polygon = np.array(corners)
    mask = fill_even_odd([polygon], (20, 20))
    following = np.roll(polygon, -1, axis=0)
    for row, column in [(0, 0), (3, 7), (10, 10), (19, 4)]:
        inside = False
        for (y0, x0), (y1, x1) in zip(polygon, following, strict=True):
            if (y0 <= row) != (y1 <= row):
                crossing = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
                if abs(crossing - column) < 1e-5:
                    break  # on the outline: both results are correct
                inside ^= crossing < column
        else:
            assert mask[row, column] == inside


@given(st.floats(0, 1), st.integers(0, 2**16))
def test_interpolation_between_two_areas_begins_and_ends_with_them(share, seed):
    rng = np.random.default_rng(seed)
    first, second = (fill_even_odd([circle(rng.uniform(3, 9), rng.uniform(10, 20, 2))], (30, 30)) for _ in range(2))
    found = between(first, second, share)
    assert not (found & ~(first | second)).any()
    assert found[first & second].all()
    np.testing.assert_array_equal(between(first, second, 0), first)
    np.testing.assert_array_equal(between(first, second, 1), second)
    np.testing.assert_array_equal(found, between(second, first, 1 - share))


def test_halfway_between_two_discs_is_a_disc_of_the_mean_radius():
    small, large = (fill_even_odd([circle(radius, (50, 50))], (100, 100)) for radius in (20, 40))
    assert between(small, large, 0.5).sum() == pytest.approx(np.pi * 30**2, rel=0.03)


def test_an_area_that_fills_the_image_ends_at_its_border():
    assert not between(np.ones((5, 6), bool), np.zeros((5, 6), bool), 0.999).any()
    assert not between(np.zeros((5, 6), bool), np.zeros((5, 6), bool), 0.5).any()
