"""Pixels inside the outlines of one plane, with holes, islands, copies and overlaps."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contours import box, circle
from ctseg.labels.outline_areas import Outline, distinct, fill_in_box, plane_area, shoelace
from ctseg.masks.polygon_fill import fill_even_odd

SHAPE = (60, 60)


def outline(points_yx: np.ndarray, depth: float = 0.0) -> Outline:
    return Outline(depth, points_yx)


def area(*polygons: np.ndarray) -> np.ndarray:
    return plane_area([outline(points) for points in polygons], SHAPE)


def fill(points_yx: np.ndarray) -> np.ndarray:
    return fill_even_odd([points_yx], SHAPE)


@given(st.floats(0.5, 1e4), st.floats(-1e4, 1e4), st.booleans())
def test_the_area_of_a_square_in_both_directions(side, low, back):
    points = box(low, low + side)[:: -1 if back else 1]
    assert shoelace(points) == pytest.approx(side**2, rel=1e-4)


def test_the_area_of_a_circle_and_of_a_line():
    assert outline(circle(20, (30, 30))).area == pytest.approx(np.pi * 400, rel=1e-3)
    assert shoelace(np.array([[0.0, 0], [5, 5], [2, 2]])) == 0
    np.testing.assert_array_equal(outline(circle(20, (30, 25))).box.round(6), [10, 5, 50, 45])


@given(st.integers(0, 59), st.booleans(), st.floats(-0.02, 0.02))
def test_an_outline_that_is_stored_again_counts_once(start, back, off):
    first = circle(15, (30, 30), 60)
    again = np.roll(first[:: -1 if back else 1], start, axis=0) + off
    kept = distinct([outline(first), outline(again)])
    assert len(kept) == 1
    assert kept[0].points_yx is first


def test_outlines_that_differ_stay():
    first = circle(15, (30, 30), 60)
    for other in (first + 0.2, circle(14.8, (30, 30), 60), first[:30]):
        assert len(distinct([outline(first), outline(other)])) == 2


def test_an_island_in_a_hole():
    rings = [circle(radius, (30, 30)) for radius in (25, 18, 9)]
    expected = fill(rings[0]) & ~fill(rings[1]) | fill(rings[2])
    np.testing.assert_array_equal(area(*rings), expected)
    np.testing.assert_array_equal(area(*rings[::-1]), expected)


def test_outlines_beside_each_other_and_crossing_ones_are_united():
    for second in ((30, 52), (30, 30)):
        polygons = circle(10, (30, 15)), circle(10, second)
        np.testing.assert_array_equal(area(*polygons), fill(polygons[0]) | fill(polygons[1]))


def test_one_lesion_drawn_twice_is_no_hole_but_a_small_outline_inside_is():
    drawn, redrawn = circle(15, (30, 30)), circle(14, (30.3, 30))
    np.testing.assert_array_equal(area(drawn, circle(15, (30.5, 30))), fill(drawn) | fill(circle(15, (30.5, 30))))
    np.testing.assert_array_equal(area(drawn, redrawn), fill(drawn) & ~fill(redrawn))  # a thin wall


def test_a_hole_that_sticks_out_a_little_is_one():
    outer, hole = circle(15, (30, 30)), circle(5, (30, 39.8))
    assert (fill(hole) & ~fill(outer)).sum() < 0.1 * fill(hole).sum()
    np.testing.assert_array_equal(area(outer, hole), fill(outer) & ~fill(hole))


def test_many_outlines_in_a_large_one_need_no_image_each():
    shape = (512, 512)
    holes = [circle(4, (y, x), 9) for y in range(20, 490, 25) for x in range(20, 490, 25)]
    outlines = [outline(box(5, 505)), *map(outline, holes)]
    tracemalloc.start()
    found = plane_area(outlines, shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * found.size  # bytes; there are 361 holes
    np.testing.assert_array_equal(found, fill_even_odd([own.points_yx for own in outlines], shape))


@given(st.lists(st.tuples(*[st.floats(-20, 80)] * 2, st.floats(0.5, 30)), min_size=2, max_size=6))
def test_outlines_are_filled_as_in_the_whole_image(circles):
    outlines = [outline(circle(radius, (y, x), 40)) for y, x, radius in circles]
    for own in outlines:
        found = np.zeros(SHAPE, bool)
        patch = fill_in_box(own, SHAPE)
        found[patch.box_yx] = patch.image
        np.testing.assert_array_equal(found, fill(own.points_yx))
