import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.components import label_components, measure_components
from ctseg.masks.postprocessing import PostprocessSettings, postprocess, postprocess_and_measure

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((10, 10, 10), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
KEEP_ALL = PostprocessSettings(min_volume_mm3=0, keep_largest=False, restrict_to_region=False)
INSIDE_ONLY = PostprocessSettings(min_volume_mm3=0, keep_largest=False, restrict_to_region=True)
segmentations = arrays(np.uint8, GRID.shape_zyx, elements=st.sampled_from([0, 0, 0, 0, 0, 1, 2]))
choices = st.builds(PostprocessSettings, st.floats(0, 40), st.booleans(), st.booleans())


def segmented(*boxes):
    """Label map with the boxes `(class, box)` filled."""
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for value, box in boxes:
        voxels[box] = value
    return Volume(voxels, GRID)


SMALL = (1, np.s_[0, 0, 0:3])  # 6 mm³
LARGE = (1, np.s_[5:7, 5:7, 5:9])  # 32 mm³
OTHER = (2, np.s_[9, 9, 0:2])  # 4 mm³
RIGHT_HALF = segmented((1, np.s_[:, :, 5:]))


@pytest.mark.parametrize(("min_volume_mm3", "left"), [(0, [3, 16]), (6, [3, 16]), (6.1, [16]), (32, [16]), (33, [])])
def test_components_below_the_smallest_volume_go(min_volume_mm3, left):
    postprocessed, facts = postprocess(
        segmented(SMALL, LARGE), PostprocessSettings(min_volume_mm3, False, False), lungs=None, lungs_plausible=False
    )
    sizes = np.bincount(label_components(postprocessed.voxels_zyx == 1).ravel())[1:]
    assert sorted(sizes.tolist()) == left
    assert facts["removed_small_components"] == 2 - len(left)
    assert facts["removed_small_voxels"] == 19 - sum(left)


def test_the_largest_component_of_each_class_stays():
    settings = PostprocessSettings(0, keep_largest=True, restrict_to_region=False)
    postprocessed, facts = postprocess(segmented(SMALL, LARGE, OTHER), settings, None, False)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented(LARGE, OTHER).voxels_zyx)
    assert (facts["removed_other_components"], facts["removed_other_voxels"]) == (1, 3)


def test_what_lies_outside_of_the_lung_field_goes():
    postprocessed, facts = postprocess(segmented(SMALL, LARGE), INSIDE_ONLY, RIGHT_HALF, lungs_plausible=True)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented(LARGE).voxels_zyx)
    assert facts["region_used"]
    assert (facts["removed_outside_components"], facts["removed_outside_voxels"]) == (1, 3)


def test_a_class_that_is_not_there_is_no_obstacle():
    postprocessed, facts = postprocess(segmented(OTHER), INSIDE_ONLY, RIGHT_HALF, lungs_plausible=True)
    assert not postprocessed.voxels_zyx.any()
    assert (facts["removed_outside_components"], facts["removed_outside_voxels"]) == (1, 2)


@pytest.mark.parametrize(("gap_mm", "kept"), [(2, True), (5, True), (6, False), (12, False)])
def test_a_lesion_beside_the_lung_field_is_kept_up_to_5_mm(gap_mm, kept):
    grid = Grid((10, 10, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    lungs, lesion = np.zeros(grid.shape_zyx, np.uint8), np.zeros(grid.shape_zyx, np.uint8)
    lungs[:, :, :10] = 1
    lesion[5, 5, 9 + gap_mm : 12 + gap_mm] = 1
    postprocessed, facts = postprocess(Volume(lesion, grid), INSIDE_ONLY, Volume(lungs, grid), lungs_plausible=True)
    assert postprocessed.voxels_zyx.any() == kept
    assert facts["removed_outside_components"] == int(not kept)


def test_a_component_that_grows_out_of_the_lung_field_is_kept_whole():
    crossing = segmented((1, np.s_[4, 4, 1:7]))
    postprocessed, _ = postprocess(crossing, INSIDE_ONLY, RIGHT_HALF, lungs_plausible=True)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, crossing.voxels_zyx)


def test_a_lung_field_that_is_not_plausible_removes_nothing_and_says_so():
    postprocessed, facts = postprocess(segmented(SMALL, LARGE), INSIDE_ONLY, RIGHT_HALF, lungs_plausible=False)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented(SMALL, LARGE).voxels_zyx)
    assert not facts["region_used"]
    assert "not plausible" in facts["region_reason"]


@pytest.mark.parametrize(("settings_", "lungs"), [(INSIDE_ONLY, None), (KEEP_ALL, RIGHT_HALF)])
def test_without_a_lung_field_or_the_wish_nothing_is_restricted(settings_, lungs):
    postprocessed, facts = postprocess(segmented(SMALL, LARGE), settings_, lungs, lungs_plausible=True)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented(SMALL, LARGE).voxels_zyx)
    assert not facts["region_used"]


def test_the_lung_field_comes_before_the_largest():
    settings = PostprocessSettings(0, keep_largest=True, restrict_to_region=True)
    left = segmented((1, np.s_[:, :, :3]))  # 6 mm from the large one
    postprocessed, _ = postprocess(segmented(SMALL, LARGE), settings, left, lungs_plausible=True)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented(SMALL).voxels_zyx)


def test_an_empty_segmentation_stays_empty():
    postprocessed, facts = postprocess(
        segmented(), PostprocessSettings(30, True, True), RIGHT_HALF, lungs_plausible=True
    )
    assert not postprocessed.voxels_zyx.any()
    assert all(count == 0 for name, count in facts.items() if name.startswith("removed"))


@given(segmentations, choices)
@settings(max_examples=60, deadline=None)
def test_voxels_are_only_removed_and_each_is_counted_once(voxels, choice):
    before = voxels.copy()
    postprocessed, facts = postprocess(Volume(voxels, GRID), choice, RIGHT_HALF, lungs_plausible=True)
    np.testing.assert_array_equal(voxels, before)  # the input is not changed
    kept = postprocessed.voxels_zyx > 0
    np.testing.assert_array_equal(postprocessed.voxels_zyx[kept], voxels[kept])
    removed = sum(facts[f"removed_{step}_voxels"] for step in ("outside", "small", "other"))
    assert removed == (voxels > 0).sum() - kept.sum()


@given(segmentations, choices)
@settings(max_examples=40, deadline=None)
def test_postprocessing_twice_changes_nothing(voxels, choice):
    once, _ = postprocess(Volume(voxels, GRID), choice, RIGHT_HALF, lungs_plausible=True)
    twice, _ = postprocess(once, choice, RIGHT_HALF, lungs_plausible=True)
    np.testing.assert_array_equal(twice.voxels_zyx, once.voxels_zyx)


def test_of_equally_large_components_the_first_stays():
    settings = PostprocessSettings(0, keep_largest=True, restrict_to_region=False)
    twice = segmented((1, np.s_[2, 2, 0:3]), (1, np.s_[7, 7, 0:3]), OTHER)
    postprocessed, _ = postprocess(twice, settings, None, False)
    np.testing.assert_array_equal(postprocessed.voxels_zyx, segmented((1, np.s_[2, 2, 0:3]), OTHER).voxels_zyx)


@given(segmentations, arrays(bool, GRID.shape_zyx, elements=st.sampled_from([False] * 99 + [True])))
@settings(max_examples=40, deadline=None)
def test_distances_to_the_lung_field_are_the_same_slab_by_slab(voxels, lungs):
    volumes = Volume(voxels, GRID), INSIDE_ONLY, Volume(lungs.astype(np.uint8), GRID), True
    whole, facts = postprocess(*volumes)
    with patch("ctseg.masks.postprocessing.DISTANCE_VOXELS", 1):
        by_slices, same_facts = postprocess(*volumes)
    np.testing.assert_array_equal(by_slices.voxels_zyx, whole.voxels_zyx)
    assert same_facts == facts


def test_postprocessing_takes_one_array_of_the_scans_size():
    grid = Grid((256, 256, 256), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    voxels, lungs = np.zeros(grid.shape_zyx, np.uint8), np.zeros(grid.shape_zyx, np.uint8)
    voxels[:, 100:103, 20:30] = voxels[30:60, 200:230, 20:50] = 1
    lungs[:, :, 200:] = 1
    lungs[:64, 97:106, 18:32] = 1
    tracemalloc.start()
    postprocessed, facts = postprocess(Volume(voxels, grid), INSIDE_ONLY, Volume(lungs, grid), lungs_plausible=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts["removed_outside_components"] == 1
    assert postprocessed.voxels_zyx.sum() == 256 * 3 * 10
    assert peak < 1.5 * voxels.nbytes


@given(segmentations, choices, st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_left_is_measured_as_if_it_were_labelled_anew(voxels, choice, plausible):
    segmentation, image = Volume(voxels, GRID), Volume(np.arange(1000, dtype=np.int16).reshape(10, 10, 10), GRID)
    postprocessed, facts = postprocess(segmentation, choice, RIGHT_HALF, plausible)
    rows = measure_components(postprocessed, image, postprocessed)
    found, same_rows, same_facts = postprocess_and_measure(
        segmentation, image, choice, RIGHT_HALF, plausible, segmentation
    )
    np.testing.assert_array_equal(found.voxels_zyx, postprocessed.voxels_zyx)
    assert (same_rows, same_facts) == (rows, facts)
