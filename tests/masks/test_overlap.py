"""All functions return the same Dice for two masks; it is NaN for two empty masks."""

import math

import numpy as np
import pytest

from ctseg.evaluation.case_metrics import overlap_metrics
from ctseg.evaluation.lesion_detection import lesion_metrics
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.overlap import dice, dice_of_classes, dice_of_masks, mean_dice
from ctseg.tuning.thresholds import Trial, scores

FULL, EMPTY = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
HALF = np.indices((2, 2, 2))[0] == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(FULL, FULL, 1.0), (HALF, FULL, 2 / 3), (HALF, ~HALF, 0.0), (EMPTY, FULL, 0.0), (FULL, EMPTY, 0.0)],
)
def test_dice_is_the_share_of_both(first, second, expected):
    assert dice_of_masks(first, second) == expected
    assert dice(np.count_nonzero(first & second), first.sum(), second.sum()) == expected
    assert dice_of_masks(second, first) == expected


def test_two_empty_masks_have_no_dice_and_are_left_out_of_means():
    assert math.isnan(dice_of_masks(EMPTY, EMPTY))
    assert math.isnan(dice(0, 0, 0))
    assert mean_dice([0.5, math.nan, 1.0]) == 0.75
    assert math.isnan(mean_dice([math.nan]))
    assert math.isnan(mean_dice([]))


def test_each_class_of_two_label_maps_has_its_own():
    first, second = HALF * np.uint8(1), HALF * np.uint8(1) + ~HALF * np.uint8(2)
    assert dice_of_classes(first, second, 3) == [1.0, 0.0, pytest.approx(math.nan, nan_ok=True)]


@pytest.mark.parametrize("second", [FULL, HALF, EMPTY])
@pytest.mark.parametrize("first", [FULL, HALF, EMPTY])
def test_choosing_and_measuring_agree(first, second):
    grid = Grid((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    found, label = (Volume(mask.astype(np.uint8), grid) for mask in (second, first))
    sure = Volume(np.full((2, 2, 2), 255, np.uint8), grid)
    (chosen,) = scores(found, sure, label, [Trial(0.5, 0, False)], 1, False, None)
    wanted = pytest.approx(dice_of_masks(first, second), nan_ok=True)
    assert chosen["dice"] == wanted
    assert overlap_metrics(first, second, 1.0)["dice"] == wanted
    if first.any() and second.any():
        assert lesion_metrics(first, second, 0.1)["lesion_dice"] == wanted
