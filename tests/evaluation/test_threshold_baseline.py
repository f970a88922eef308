import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.evaluation.case_metrics import overlap_metrics
from ctseg.evaluation.threshold_baseline import threshold_baseline
from ctseg.geometry.volume import Grid, Volume

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((8, 10, 12), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)


def scan(*boxes):
    """Lung of −850 HU with the boxes `(box, hu)`."""
    voxels = np.full(GRID.shape_zyx, -850, np.int16)
    for box, hu in boxes:
        voxels[box] = hu
    return Volume(voxels, GRID)


def mask(*boxes):
    voxels = np.zeros(GRID.shape_zyx, bool)
    for box in boxes:
        voxels[box] = True
    return voxels


NODULE = np.s_[2:4, 2:6, 2:6]  # 32 voxels, 64 mm³
VESSEL = np.s_[6, 1:9, 10]  # 8 voxels, 16 mm³
SPECK = np.s_[0, 9, 0]  # 1 voxel, 2 mm³


def test_a_threshold_between_lung_and_nodule_finds_the_nodule():
    found = threshold_baseline(scan((NODULE, 30)), mask(NODULE), None, [-900, -500, 100], 0)
    assert found == pytest.approx({-900: 2 * 32 / (32 + 960), -500: 1, 100: 0})


def test_the_threshold_itself_is_not_denser():
    assert threshold_baseline(scan((NODULE, 30)), mask(NODULE), None, [30, 29], 0) == {30: 0, 29: 1}


def test_what_is_smaller_than_the_smallest_component_does_not_count():
    image, reference = scan((NODULE, 30), (VESSEL, 30), (SPECK, 30)), mask(NODULE)
    dice = [threshold_baseline(image, reference, None, [-500], smallest)[-500] for smallest in (0, 2, 2.1, 16, 17)]
    assert dice == pytest.approx([64 / 73, 64 / 73, 64 / 72, 64 / 72, 1])


def test_only_the_lung_field_is_searched_but_all_of_the_reference_counts():
    lungs = Volume(mask(np.s_[:, :, :4]).astype(np.uint8), GRID)
    image = scan((NODULE, 30), (VESSEL, 30))
    assert threshold_baseline(image, mask(NODULE), lungs, [-500], 0)[-500] == pytest.approx(2 * 16 / (16 + 32))


@pytest.mark.parametrize(("reference", "dice"), [(mask(NODULE), 0.0), (mask(), np.nan)])
def test_an_empty_lung_field_finds_nothing(reference, dice):
    lungs = Volume(np.zeros(GRID.shape_zyx, np.uint8), GRID)
    found = threshold_baseline(scan((NODULE, 30)), reference, lungs, [-500], 0)
    assert found == pytest.approx({-500: dice}, nan_ok=True)


def test_no_threshold_gives_no_result():
    assert threshold_baseline(scan(), mask(), None, [], 0) == {}


@given(st.integers(0, 2**31), st.floats(-900, 0))
@settings(max_examples=30, deadline=None)
def test_without_a_smallest_component_it_is_the_dice_of_the_thresholded_lung_field(seed, threshold_hu):
    rng = np.random.default_rng(seed)
    image = Volume(rng.integers(-1000, 200, GRID.shape_zyx).astype(np.int16), GRID)
    reference, inside = rng.random(GRID.shape_zyx) < 0.2, rng.random(GRID.shape_zyx) < 0.3
    expected = overlap_metrics(reference, inside & (image.voxels_zyx > threshold_hu), GRID.voxel_volume_mm3)["dice"]
    lungs = Volume(inside.astype(np.uint8), GRID)
    assert threshold_baseline(image, reference, lungs, [threshold_hu], 0)[threshold_hu] == pytest.approx(expected)
