"""Sorting of outlines into touching columns and into planes."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from contours import circle
from ctseg.labels.outline_areas import Outline
from ctseg.labels.outline_planes import columns, planes


def at(depth: float, centre_yx=(30, 30), radius=5) -> Outline:
    return Outline(depth, circle(radius, centre_yx, 12))


def depths_of(found: list[list[Outline]]) -> list[list[float]]:
    return [[outline.depth for outline in group] for group in found]


def test_a_column_is_joined_by_boxes_that_overlap_directly_or_over_others():
    left, middle, right, far = (at(0, (30, x)) for x in (10, 19, 28, 60))
    assert [len(column) for column in columns([left, middle, right, far])] == [3, 1]
    assert [len(column) for column in columns([left, right, far])] == [1, 1, 1]


@given(st.lists(st.sampled_from([10, 19, 28, 60, 90]), min_size=1, max_size=12))
def test_each_outline_is_in_one_column(places):
    outlines = [at(0, (30, x)) for x in places]
    found = columns(outlines)
    assert sorted(id(outline) for column in found for outline in column) == sorted(map(id, outlines))


BOXES = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 4), st.integers(0, 4))


@given(st.lists(BOXES, min_size=1, max_size=30))
def test_columns_are_the_connected_parts_of_the_table_of_all_pairs(boxes):
    outlines = [Outline(0, np.array([[y, x], [y + height, x + width]], float)) for y, x, height, width in boxes]
    low, high = np.array([box[:2] for box in boxes]), np.array([(y + dy, x + dx) for y, x, dy, dx in boxes])
    meet = ((low[:, None] <= high[None]) & (high[:, None] >= low[None])).all(axis=-1)
    count, column_of = connected_components(meet, directed=False)
    groups = [[id(outlines[place]) for place in np.flatnonzero(column_of == column)] for column in range(count)]
    assert [[id(outline) for outline in column] for column in columns(outlines)] == groups


def test_thousands_of_outlines_need_no_table_of_all_pairs():
    centres = np.random.default_rng(0).uniform(0, 2000, (3000, 2))
    outlines = [at(0, centre) for centre in centres]
    assert all(outline.box.size for outline in outlines)  # the boxes are kept by the outlines
    tracemalloc.start()
    found = columns(outlines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, found)) == 3000
    assert peak < 1000 * len(outlines)  # bytes; a table of one byte for each pair has 9 million


@given(st.lists(st.integers(0, 20), min_size=2, max_size=12, unique=True), st.sampled_from([0.5, 1, 2.5]))
def test_planes_rise_and_each_depth_is_one(numbers, step):
    outlines = [at(number * step) for number in numbers]
    assert depths_of(planes(outlines)) == [[number * step] for number in sorted(numbers)]


@given(st.lists(st.floats(-0.01, 0.01), min_size=6, max_size=6))
def test_rounded_depths_are_one_plane(off):
    outlines = [at(number + beside) for number in range(3) for beside in off[2 * number : 2 * number + 2]]
    assert [len(plane) for plane in planes(outlines)] == [2, 2, 2]


def test_an_outline_beside_a_plane_is_in_it_where_planes_are_far_enough():
    assert depths_of(planes([at(0), at(1), at(1.2), at(2), at(3)])) == [[0], [1, 1.2], [2], [3]]
    assert len(planes([at(depth) for depth in np.arange(0, 2, 0.2)])) == 10  # planes closer than the slices


def test_two_outlines_alone():
    assert len(planes([at(0), at(0.1)])) == 1
    assert len(planes([at(0), at(0.5)])) == 2
