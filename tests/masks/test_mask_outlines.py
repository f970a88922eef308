"""Outlines of masks with holes as single closed contours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctseg.masks.mask_outlines import corners, keyholed, slice_contours
from ctseg.masks.polygon_fill import fill_even_odd

NESTED = np.zeros((11, 11), bool)
NESTED[1:10, 1:10] = True
NESTED[3:8, 3:8] = False
NESTED[4:7, 4:7] = True
NESTED[5, 5] = False


@settings(max_examples=100, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_contours_with_keyholes_enclose_the_same_pixels(mask):
    outlines = keyholed([corners(outline) for outline in slice_contours(mask)])
    found = np.zeros_like(mask)
    for outline in outlines:  # filled one by one, so a hole must be part of the contour around it
        inside = fill_even_odd([outline], mask.shape)
        assert not (found & inside).any()
        found |= inside
    np.testing.assert_array_equal(found, mask)


def test_an_island_in_a_hole_is_a_contour_of_its_own():
    outlines = keyholed(slice_contours(NESTED))
    assert len(outlines) == 2
    areas = [fill_even_odd([outline], NESTED.shape).sum() for outline in outlines]
    assert sorted(areas) == [8, 81 - 25]


def test_only_corners_stay():
    (outline,) = slice_contours(np.ones((40, 60), bool))
    kept = corners(outline)
    assert (len(outline), len(kept)) == (200, 8)
    np.testing.assert_array_equal(fill_even_odd([kept], (40, 60)), np.ones((40, 60), bool))


@pytest.mark.parametrize("size", [300])
def test_many_outlines_take_no_time(size):
    speckles = np.zeros((size, size), bool)
    speckles[::2, ::2] = True
    assert len(slice_contours(speckles)) == (size // 2) ** 2
