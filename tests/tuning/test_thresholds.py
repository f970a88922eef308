"""Threshold and postprocessing are chosen for the best mean Dice; given values are kept."""

import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.tuning.thresholds import Trial, choose, postprocessing, scores, trials

AUTO = {"threshold": "auto", "min_volume_mm3": "auto", "keep_largest": "auto", "restrict_to_region": True}
GRID = Grid((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


def case():
    """Label map, probability map and reference: cube of 64 voxels with a rim at low thresholds, and a speck."""
    reference, probability = np.zeros(GRID.shape_zyx, np.uint8), np.zeros(GRID.shape_zyx, np.uint8)
    probability[4:10, 4:10, 4:10] = round(0.45 * 255)
    probability[5:9, 5:9, 5:9] = 250
    probability[15, 15, 15:17] = 240
    reference[5:9, 5:9, 5:9] = 1
    classes = (probability > 0).astype(np.uint8)
    return Volume(classes, GRID), Volume(probability, GRID), Volume(reference, GRID)


def dice(tried, lungs=None, restrict=False):
    return [row["dice"] for row in scores(*case(), tried, 1, restrict, lungs)]


def test_what_is_given_is_not_tried():
    assert trials({**AUTO, "threshold": 0.3, "min_volume_mm3": 5, "keep_largest": True}, 100.0) == [Trial(0.3, 5, True)]
    tried = trials(AUTO, 10.0)
    assert tried[0] == Trial(0.5, 0.0, False)
    assert {one.min_volume_mm3 for one in tried} == {0.0, 5.0, 10.0, 20.0}
    assert len(trials(AUTO, 0.0)) == 5 * 2


def test_each_trial_has_the_dice_of_what_it_leaves():
    tried = [Trial(0.5, 0, False), Trial(0.4, 0, False), Trial(0.5, 3, False), Trial(0.5, 0, True)]
    assert dice(tried) == pytest.approx([128 / 130, 128 / (64 + 218), 1.0, 1.0])


def test_a_lung_field_takes_what_lies_away_from_it():
    lungs = np.zeros(GRID.shape_zyx, np.uint8)
    lungs[5:9, 5:9, 5:9] = 1
    tried = [Trial(0.5, 0, False)]
    assert dice(tried, Volume(lungs, GRID), restrict=True) == [1.0]
    assert dice(tried, Volume(lungs, GRID))[0] < 1


def test_nothing_where_nothing_is_has_no_dice():
    empty = Volume(np.zeros(GRID.shape_zyx, np.uint8), GRID)
    rows = list(scores(empty, empty, empty, [Trial(0.5, 0, False)], 2, False, None))
    assert np.isnan([row["dice"] for row in rows]).all()


def test_a_case_without_target_counts_where_something_is_found_in_it_alone():
    tried = [Trial(0.3, 0.0, False), Trial(0.5, 0.0, False)]
    row = {"min_volume_mm3": 0.0, "keep_largest": False}
    false_alarm = [row | {"threshold": 0.3, "dice": 0.0}, row | {"threshold": 0.5, "dice": float("nan")}]
    target = [row | {"threshold": 0.3, "dice": 0.8}, row | {"threshold": 0.5, "dice": 0.8}]
    assert choose(false_alarm + target, tried) == (tried[1], [0.4, 0.8])
    chosen, _ = choose(false_alarm, tried)  # without a target, Dice is not meaningful
    assert chosen == tried[0]
    assert "no case out of training" in postprocessing(AUTO, "body", chosen, float("nan"), 0)["threshold"]["reason"]


def test_the_best_is_chosen_and_the_most_ordinary_of_equals():
    tried = trials(AUTO, 4.0)
    rows = list(scores(*case(), tried, 1, False, None))
    nothing = [row | {"dice": 0.5} for row in rows]  # a case with equal Dice for all trials
    chosen, means = choose(rows + nothing, tried)
    assert chosen == Trial(0.5, 4.0, False)  # 2 mm³ leaves the speck of two voxels, keep_largest is as good
    assert len(means) == len(tried)
    assert max(means) == pytest.approx(0.75)


def test_every_choice_has_its_reason():
    made = postprocessing({**AUTO, "keep_largest": False}, "lungs", Trial(0.4, 5.0, False), 0.8, 7)
    assert made["threshold"] == {"value": 0.4, "reason": "mean Dice 0.800 on 7 cases out of training"}
    assert made["keep_largest"] == {"value": False, "reason": "given in the config"}
    assert made["restrict_to_region"]["value"] is True
    assert postprocessing(AUTO, "body", Trial(0.4, 5.0, False), 0.8, 7)["restrict_to_region"]["value"] is False
