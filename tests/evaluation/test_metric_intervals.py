import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ctseg.evaluation.metric_intervals import metric_interval

NAN = float("nan")


def rows(found, there, false=None):
    """Lesion metrics of scans from the numbers of found, reference and false lesions of each scan."""
    found, there = np.array(found), np.array(there)
    false = np.zeros_like(found) if false is None else np.array(false)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "reference_lesions": there,
                "found_lesions": found,
                "false_lesions": false,
                "predicted_lesions": found + false,
                "lesion_sensitivity": found / there,
                "lesion_precision": found / (found + false),
                "lesion_f1": 2 * found / (there + found + false),
                "dice": np.linspace(0.82, 0.92, found.size),
            }
        )


def interval(metric, table):
    return metric_interval(metric, table, pd.Series(table.index, table.index))


def test_scans_that_agree_by_chance_have_the_interval_of_their_lesions():
    table = rows([5, 4, 5, 4], [7, 5, 7, 5])
    exact = stats.binomtest(18, 24).proportion_ci(0.95, "exact")
    mean = table["lesion_sensitivity"].mean()
    low, high = interval("lesion_sensitivity", table)
    assert low <= mean - (0.75 - exact.low) + 1e-9
    assert high >= mean + (exact.high - 0.75) - 1e-9


def test_the_interval_of_f1_is_that_of_found_ones_among_all():
    table = rows([5] * 6, [7] * 6, [1] * 6)
    exact = stats.binomtest(30, 48).proportion_ci(0.95, "exact")
    expected = [2 * share / (1 + share) for share in (exact.low, exact.high)]
    low, high = interval("lesion_f1", table)
    assert low <= expected[0] + 1e-9
    assert high >= expected[1] - 1e-9
    assert high <= 1


def test_what_is_undefined_is_left_out():
    table = rows([2, 0, 1, 3], [3, 0, 2, 3])
    assert np.isnan(table["lesion_sensitivity"][1])
    assert interval("lesion_sensitivity", table) == interval("lesion_sensitivity", table.drop(1))
    assert np.isnan(interval("dice", table.assign(dice=NAN))).all()


def test_each_kind_of_metric_has_its_own_interval():
    table = rows([2, 3, 1, 3], [3, 4, 2, 3], [0, 0, 0, 0])
    assert interval("false_lesions", table) == pytest.approx((0, stats.chi2.ppf(0.975, 2) / 2 / 4))
    by_t = stats.ttest_1samp(table["dice"], 0).confidence_interval(0.95)
    low, high = interval("dice", table)
    assert low < by_t.low
    assert high == pytest.approx(by_t.high)
    signed = table.assign(volume_error_cm3=[-1.0, 2.0, 0.5, 0.0])
    by_t = stats.ttest_1samp(signed["volume_error_cm3"], 0).confidence_interval(0.95)
    assert interval("volume_error_cm3", signed) == pytest.approx(tuple(by_t))
