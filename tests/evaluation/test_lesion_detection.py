import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.evaluation.lesion_detection import COLUMNS, lesion_metrics


def row(*spans, size=40):
    """Mask of a single row with the given spans (start, stop)."""
    mask = np.zeros((1, 1, size), bool)
    for start, stop in spans:
        mask[..., start:stop] = True
    return mask


def test_found_missed_and_false_lesions():
    reference = row((0, 4), (10, 14), (20, 24))
    prediction = row((0, 4), (11, 15), (30, 34))
    found = lesion_metrics(reference, prediction, 0.1)
    assert list(found) == list(COLUMNS)
    assert (found["reference_lesions"], found["predicted_lesions"]) == (3, 3)
    assert (found["found_lesions"], found["false_lesions"]) == (2, 1)
    assert found["lesion_sensitivity"] == found["lesion_precision"] == found["lesion_f1"] == pytest.approx(2 / 3)
    assert found["lesion_dice"] == pytest.approx((1 + 6 / 8 + 0) / 3)
    assert found["panoptic_quality"] == pytest.approx(2 * (1 + 3 / 5) / 6)


def test_an_overlap_below_the_limit_is_no_find():
    reference, prediction = row((0, 10)), row((9, 19))
    assert lesion_metrics(reference, prediction, 0.05)["found_lesions"] == 1
    assert lesion_metrics(reference, prediction, 0.1)["found_lesions"] == 0
    assert lesion_metrics(reference, row((12, 19)), 0.0)["found_lesions"] == 0


def test_one_prediction_over_two_lesions_finds_one_of_them():
    found = lesion_metrics(row((0, 6), (8, 12)), row((0, 12)), 0.1)
    assert (found["found_lesions"], found["false_lesions"]) == (1, 0)
    assert found["lesion_dice"] == pytest.approx(2 * 6 / 18 / 2)


def test_without_lesions_there_is_nothing_to_find():
    nothing = lesion_metrics(row(), row(), 0.1)
    assert nothing["false_lesions"] == nothing["reference_lesions"] == 0
    assert all(math.isnan(nothing[key]) for key in COLUMNS if COLUMNS[key] != "d")
    false_alarm = lesion_metrics(row(), row((0, 3)), 0.1)
    assert math.isnan(false_alarm["lesion_sensitivity"])
    assert (false_alarm["false_lesions"], false_alarm["lesion_f1"], false_alarm["panoptic_quality"]) == (1, 0, 0)


@given(st.integers(0, 2**32), st.floats(0, 0.6))
def test_a_mask_finds_itself_and_counts_are_consistent(seed, smallest_iou):
    rng = np.random.default_rng(seed)
    reference, prediction = rng.random((2, 6, 6, 6)) > 0.85
    itself = lesion_metrics(reference, reference, smallest_iou)
    assert itself["found_lesions"] == itself["reference_lesions"]
    assert itself["false_lesions"] == 0
    other = lesion_metrics(reference, prediction, smallest_iou)
    back = lesion_metrics(prediction, reference, smallest_iou)
    assert other["found_lesions"] == back["found_lesions"] <= min(other["reference_lesions"], back["reference_lesions"])
    assert other["found_lesions"] + other["false_lesions"] == other["predicted_lesions"]
