"""Positions of slices along their normal: usual distances, gaps, and equal positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.dicom.slice_spacing import SAME_POSITION_MM, gaps, near_mm, off_even_mm, places_mm, usual_step_mm


@pytest.mark.parametrize(
    "steps_mm, usual_mm", [([2, 2, 4, 2], 2), ([4] * 13 + [1.1] + [7] * 13, 4), ([1, 2, 3, 4, 5, 6, 7, 8], 4.5)]
)
def test_the_usual_distance(steps_mm, usual_mm):
    assert usual_step_mm(np.array(steps_mm, dtype=float)) == usual_mm


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from([0.625, 1.25, 2.5, 5.0]), min_size=1, max_size=4), st.integers(4, 20), st.floats(0, 0.02)
)
def test_blocks_of_other_slice_distances_are_no_acquisitions(blocks, length, jitter_mm):
    steps = np.repeat(blocks, length)
    depths = np.concatenate([[0], np.cumsum(steps)]) + np.random.default_rng(0).uniform(0, jitter_mm, steps.size + 1)
    assert near_mm(depths) == SAME_POSITION_MM


STEP_MM = 2.5


@settings(max_examples=50)
@given(st.integers(3, 60), st.floats(0.3, 10), st.integers(0, 2**16))
def test_even_slices_have_no_gap_though_their_places_are_rounded_to_a_tenth(count, step_mm, seed):
    rounded = np.random.default_rng(seed).uniform(-0.05, 0.05, count) * min(1, step_mm)
    steps_mm = np.diff(np.arange(count) * step_mm + rounded / 2)
    assert gaps(steps_mm) == []
    off_mm, allowed_mm = off_even_mm(steps_mm)
    assert off_mm <= allowed_mm


@given(st.integers(6, 40), st.data())
def test_each_missing_slice_is_a_gap_where_it_was(count, data):
    missing = data.draw(st.sets(st.integers(1, count - 2), min_size=1, max_size=1 + count // 8))
    places = np.array([place for place in range(count) if place not in missing])
    steps = np.diff(places)
    found = gaps(STEP_MM * steps)
    assert found == [(int(place), STEP_MM * steps[place]) for place in np.flatnonzero(steps > 1)]


def test_a_drift_that_no_single_distance_shows_is_a_gap():
    steps_mm = 2 * (1 + 0.002 * np.arange(20))
    assert len(gaps(steps_mm)) >= 1


def test_how_far_slices_lie_off_even_places():
    off_mm, allowed_mm = off_even_mm(np.array([10.0, 10.0, 10.0]))
    assert (off_mm, allowed_mm) == (pytest.approx(0, abs=1e-12), pytest.approx(0.1))  # 1 % of the distance
    off_mm, _ = off_even_mm(np.array([1.0, 2.0]))  # the line through 0, 1, 3 is −1/6 + 1.5 k
    assert off_mm == pytest.approx(1 / 3)


@given(st.permutations(range(12)), st.floats(0.1, 0.4))
def test_two_acquisitions_a_little_apart_stand_for_one_place(order, share):
    depths_mm = 5 * np.concatenate([np.arange(6), np.arange(6) + share])
    near = near_mm(depths_mm[list(order)])
    assert 5 * share <= near < 5 * (1 - share)
    np.testing.assert_allclose(places_mm(depths_mm[list(order)], near), 5 * np.arange(6))


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_places_are_sorted_and_apart(depths):
    places = places_mm(np.array(depths))
    assert set(places.tolist()) <= set(depths)
    assert (np.diff(places) > SAME_POSITION_MM).all()
    assert places[0] == min(depths)
    if len(set(depths)) == 1:
        assert len(places) == 1
