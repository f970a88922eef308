import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ctseg.evaluation.intervals import rate_interval, share_interval
from ctseg.evaluation.lesion_summary import diameter_class, lesion_summary

CASES = pd.DataFrame({"case": list("abcd"), "split": "test", "label": "nodule"})


def lesions(*rows):
    """Table of lesions from (case, state, diameter in mm)."""
    table = pd.DataFrame(rows, columns=["case", "state", "diameter_mm"])
    return table.assign(split="test", label="nodule")


FOUND = lesions(
    ("a", "found", 4),
    ("a", "missed", 5.9),
    ("a", "found", 12),
    ("b", "found", 8),
    ("b", "false", 3),
    ("c", "missed", 4),
)


def test_all_lesions_count_together():
    row = lesion_summary(FOUND, CASES).set_index("diameter").loc["all"]
    assert (row["scans"], row["lesions"], row["found"], row["false"]) == (4, 5, 3, 1)
    assert (row["sensitivity"], row["precision"], row["false_per_scan"]) == (0.6, 0.75, 0.25)
    expected = share_interval(np.array([2, 1, 0, 0]), np.array([3, 1, 1, 0]), np.arange(4))
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(expected)
    expected = rate_interval(np.array([0, 1, 0, 0]), np.arange(4))
    assert (row["false_per_scan_low"], row["false_per_scan_high"]) == pytest.approx(expected)
    exact = stats.binomtest(3, 5).proportion_ci(0.95, "exact")
    assert row["sensitivity_low"] <= exact.low
    assert row["sensitivity_high"] >= exact.high


def test_each_diameter_has_its_own_sensitivity():
    found = lesion_summary(FOUND, CASES).set_index("diameter")
    assert list(found.index) == ["all", "below 6 mm", "6 to 10 mm", "10 to 20 mm"]
    assert found["lesions"].tolist() == [5, 3, 1, 1]
    assert found["found"].tolist() == [3, 1, 1, 1]
    assert found["false"].tolist() == [1, 1, 0, 0]
    assert np.isnan(found.loc["below 6 mm", "precision"])
    assert np.isnan(found.loc["6 to 10 mm", "sensitivity_low"])  # one patient allows no inference about others


@pytest.mark.parametrize(
    ("diameter", "name"), [(0.5, "below 6 mm"), (6, "6 to 10 mm"), (29.9, "20 to 30 mm"), (50, "50 mm or more")]
)
def test_an_edge_belongs_to_the_class_above(diameter, name):
    assert diameter_class(diameter) == name


def test_scans_of_a_patient_count_together_and_scans_without_a_lesion_count():
    alone, together = (lesion_summary(FOUND, CASES, who).iloc[0] for who in (None, {"a": 1, "b": 1, "c": 2, "d": 3}))
    assert together["sensitivity"] == alone["sensitivity"]
    assert together["sensitivity_low"] <= alone["sensitivity_low"]
    nothing = lesion_summary(FOUND.iloc[:0], CASES).iloc[0]
    assert (nothing["scans"], nothing["lesions"], nothing["false_per_scan"]) == (4, 0, 0)
    assert np.isnan(nothing["sensitivity"])
