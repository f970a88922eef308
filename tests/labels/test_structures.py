"""Structures of one label are united, and overlaps of labels are resolved by the rule of the config."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.labels.structures import Count, Structure, require_kept, unite, united_rois

GRID = Grid((2, 3, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))


def mask(*places: int) -> np.ndarray:
    found = np.zeros(24, bool)
    found[list(places)] = True
    return found.reshape(GRID.shape_zyx)


MASKS = st.lists(st.sets(st.integers(0, 23), max_size=12), min_size=1, max_size=4)


@given(MASKS, st.sampled_from(["later", "earlier"]))
def test_a_voxel_goes_to_the_later_or_the_earlier_label_and_each_loss_is_counted(places, overlap):
    masks = [mask(*part) for part in places]
    classes, counts = unite(((str(n), Structure(part)) for n, part in enumerate(masks, 1)), GRID.shape_zyx, overlap)
    expected = np.zeros(GRID.shape_zyx, int)
    order = list(enumerate(masks, 1))
    for number, part in order if overlap == "later" else order[::-1]:
        expected[part] = number
    np.testing.assert_array_equal(classes, expected)
    for number, part in enumerate(masks, 1):
        assert counts[str(number)].drawn == part.sum()
        assert counts[str(number)].kept == (classes == number).sum()


def test_losses_name_who_took_the_voxels():
    _, counts = unite(
        [("a", Structure(mask(0, 1, 2))), ("b", Structure(mask(1))), ("c", Structure(mask(2, 3)))], (2, 3, 4), "later"
    )
    assert counts == {"a": Count(3, {"b": 1, "c": 1}), "b": Count(1), "c": Count(2)}
    assert require_kept(counts, "later", "label") == [
        "b and c take 2 of the 3 voxels of a: the later of two labels wins (target.overlap)"
    ]


def test_an_overlap_is_refused_where_the_config_says_so():
    with pytest.raises(InputError, match=r"RS: a and b overlap in 1 voxel, which target.overlap: refuse forbids"):
        require_kept({"a": Count(3, {"b": 1}), "b": Count(1)}, "refuse", "RS")
    assert require_kept({"a": Count(3), "b": Count(1)}, "refuse", "RS") == []


@pytest.mark.parametrize(
    ("overlap", "advice"), [("later", "List a after b there, or .* earlier"), ("earlier", "before b .* later")]
)
def test_a_label_that_loses_all_its_voxels_is_refused_with_advice(overlap, advice):
    with pytest.raises(InputError, match=f"RS: a ends without a voxel: b takes all its 3 voxels.*{advice}"):
        require_kept({"a": Count(3, {"b": 3})}, overlap, "RS")


def test_rois_of_a_label_are_one_structure():
    parts = [
        Structure(mask(0), {"contours": 2, "beyond_scan": 1}, ("cut",)),
        Structure(mask(5), {"contours": 3, "beyond_scan": 0}),
    ]
    found = united_rois(parts, [0, 2], GRID)
    np.testing.assert_array_equal(found.mask, mask(0, 5))
    assert found.facts == {"rois": 2, "not_closed": 2, "contours": 5, "beyond_scan": 1}
    assert found.warnings == ("cut", "2 contours are points or open lines without an area, and not filled")
    assert found.empty == ""


def test_an_empty_structure_says_why_each_reason_once():
    parts = [Structure(mask(), {}, (), "it has no closed contour")] * 2
    found = united_rois(parts, [1, 0], GRID)
    assert found.empty == "it has no closed contour; 1 contour is a point or an open line"
    assert united_rois([], [], GRID).empty == ""  # no ROI requested
