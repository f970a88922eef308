"""Slices between planes of outlines: filled if the planes have their usual distance, otherwise left empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contours import ring
from ctseg.geometry.volume import Grid
from ctseg.labels.outline_gaps import Area, areas_of, filled, link, nearest_slice
from ctseg.labels.outlines import rasterise

GRID = Grid((40, 60, 60), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
QUARTERS = [(15.2, 14.8), (44.9, 15.3), (15.1, 45.2), (44.7, 44.6)]  # separate centres (x, y)
SQUARE = np.ones((4, 4), bool)


def column(depths: list[float], image: np.ndarray = SQUARE) -> list[Area]:
    """Linked areas with the same position in all planes."""
    planes = [areas_of(depth, image, (10, 20)) for depth in depths]
    link(planes)
    return [area for plane in planes for area in plane]


def numbers(depths: list[float], image: np.ndarray = SQUARE) -> list[int]:
    """Filled slices, without the slices of the planes."""
    drawn = {nearest_slice(depth) for depth in depths}
    return sorted({number for number, _, _ in filled(column(depths, image))} - drawn)


@pytest.mark.parametrize(
    ("depth", "number"), [(0, 0), (0.49, 0), (0.5, 1), (0.4995, 1), (0.492, 1), (-0.5, 0), (-0.51, -1), (2.4, 2)]
)
def test_halfway_between_two_slices_is_the_upper_one(depth, number):
    assert nearest_slice(depth) == number


def test_the_connected_areas_of_a_plane_lie_where_they_were():
    image = np.zeros((9, 9), bool)
    image[1:3, 2:4] = image[6, 6:9] = True
    found = areas_of(2.0, image, (100, 200))
    assert [area.box_yx for area in found] == [
        (slice(101, 103), slice(202, 204)),
        (slice(106, 107), slice(206, 209)),
    ]
    assert [int(area.image.sum()) for area in found] == [4, 3]


def test_neighbours_are_the_nearest_areas_that_overlap():
    low, middle, high = column([0, 2, 5])
    assert (low.above, middle.below, middle.above, high.below) == ([middle], [low], [high], [middle])
    assert (low.gap("above"), low.gap("below"), high.gap("below")) == (2, None, 3)
    beside = [areas_of(0, SQUARE, (0, 0)), areas_of(2, SQUARE, (20, 20))]
    link(beside)
    assert beside[0][0].above == []
    far = column([0, 31])
    assert far[0].above == []


def test_of_two_planes_that_are_nearest_to_one_slice_the_nearer_one_counts():
    low, high = column([4.9, 5.3])
    assert (low.outdone, high.outdone) == (False, True)
    assert not any(area.outdone for area in column([4, 5, 6]))


def test_slices_between_planes_of_usual_distance_are_filled_and_half_of_it_beyond():
    assert numbers([10, 11, 12]) == []
    assert numbers([10, 12, 14]) == [9, 11, 13, 15]
    assert numbers([10, 13, 16]) == [9, 11, 12, 14, 15, 17]
    assert numbers([10.5, 12.5, 14.5]) == [10, 12, 14]  # planes on 11, 13, 15
    assert numbers([10.5, 11.6, 12.7]) == [10]  # planes on 11, 12, 13


@given(st.integers(1, 6), st.integers(0, 100), st.lists(st.floats(-0.008, 0.008), min_size=6, max_size=6))
def test_planes_one_slice_apart_fill_as_many_slices_wherever_they_lie(planes, hundredths, rounding):
    assert numbers([10 + index + hundredths / 100 for index in range(planes)]) == []
    halfway = [10.5 + index + off for index, off in enumerate(rounding[:planes])]
    assert numbers(halfway) == []
    assert {nearest_slice(depth) for depth in halfway} == set(range(11, 11 + planes))


@pytest.mark.parametrize("planes", [1, 2, 3, 5])
def test_planes_between_slices_fill_as_many_slices_beside_others(planes):
    long = [ring(depth + 0.5, 6, QUARTERS[0]) for depth in range(3, 30)]
    short = [ring(depth + 0.5, 6, QUARTERS[3]) for depth in range(10, 10 + planes)]
    for contours in (short, short + long):
        assert slices_of(mask_of(contours)[:, 30:, 30:]) == list(range(11, 11 + planes))


def test_a_gap_that_is_wider_than_usual_stays():
    assert numbers([10, 11, 12, 15, 16, 17]) == []
    assert 15 not in numbers([8, 10, 12, 18, 20, 22])


def test_areas_in_between_are_interpolated():
    small, large = np.zeros((12, 12), bool), np.ones((12, 12), bool)
    small[4:8, 4:8] = True
    planes = [areas_of(0, small, (0, 0)), areas_of(2, large, (0, 0)), areas_of(4, large, (0, 0))]
    link(planes)
    painted = {n: image for n, _, image in filled([area for plane in planes for area in plane])}
    assert small.sum() < painted[1].sum() < large.sum()
    assert painted[3].all()


def mask_of(contours: list[np.ndarray]) -> np.ndarray:
    return rasterise(contours, GRID, "GTV", "image").mask


def slices_of(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask.any(axis=(1, 2))).tolist()


def test_dense_and_sparse_lesions_lie_above_each_other():
    dense = [ring(depth, 10) for depth in range(2, 10)]
    sparse = [ring(depth, 10) for depth in range(20, 33, 3)]
    assert slices_of(mask_of(dense + sparse)) == [*range(2, 10), *range(19, 34)]
    wide = [ring(36, 25)]  # covers both, and hides neither
    beside = [ring(depth, 6, QUARTERS[0]) for depth in range(3, 30)]
    thin = [ring(depth, 6, QUARTERS[3]) for depth in range(3, 30, 3)]
    mask = mask_of(beside + thin + wide)
    assert slices_of(mask[:30, 30:, 30:]) == list(range(2, 29))


def test_a_lesion_with_a_slice_left_out_stays_so_beside_others():
    left_out = [ring(depth, 6, QUARTERS[0]) for depth in (5, 6, 7, 9, 10, 11)]
    whole = [ring(depth, 6, QUARTERS[3]) for depth in range(4, 14)]
    assert 8 not in slices_of(mask_of(left_out + whole)[:, :30, :30])
