import numpy as np
import pandas as pd
import pytest

from ctseg.errors import InputError
from ctseg.evaluation.study_comparison import compare
from ctseg.report.metric_plots import plot_comparison

NAN = float("nan")


def measured(dice, split="test", hd95=5.0):
    rows = [{"case": f"case-{number}", "dice": value} for number, value in enumerate(dice)]
    return pd.DataFrame(rows).assign(split=split, fold="", label="nodule", state="both", hd95_mm=hd95)


def test_the_difference_of_each_case_counts():
    theirs = np.linspace(0.3, 0.8, 12)
    table, pairs = compare(measured(theirs + 0.1), measured(theirs, hd95=7.0))
    found = table.set_index("metric").loc["dice"]
    assert found["difference"] == pytest.approx(0.1)
    assert (found["difference_low"], found["difference_high"]) == pytest.approx((0.1, 0.1))
    assert (found["n"], found["rose"], found["fell"]) == (12, 12, 0)
    assert found["wilcoxon_p"] == pytest.approx(2 / 2**12)  # all signs agree
    assert table.set_index("metric").loc["hd95_mm", "difference"] == -2
    assert len(pairs) == 24


def test_chance_is_called_chance():
    rng = np.random.default_rng(0)
    theirs = rng.uniform(0.4, 0.8, 40)
    table, _ = compare(measured(theirs + rng.normal(0, 0.05, 40)), measured(theirs))
    found = table.set_index("metric").loc["dice"]
    assert found["difference_low"] < 0 < found["difference_high"]
    assert found["wilcoxon_p"] > 0.05


def test_a_study_equals_itself():
    table, _ = compare(measured([0.5, 0.6]), measured([0.5, 0.6]))
    assert (table["difference"] == 0).all()
    assert (table["wilcoxon_p"] == 1).all()


def test_only_what_both_measured_in_the_same_split_is_compared():
    table, pairs = compare(measured([0.5, NAN, 0.7]), measured([0.4, 0.5]))
    assert table.set_index("metric").loc["dice", "n"] == 1
    assert pairs.loc[pairs["metric"] == "dice", "case"].tolist() == ["case-0"]
    with pytest.raises(InputError, match="no case with the same split and label"):
        compare(measured([0.5]), measured([0.5], split="train"))


def test_cases_of_one_patient_widen_the_interval():
    ours, theirs = measured([0.5, 0.7] * 10), measured([0.5] * 20)
    patients = {f"case-{number}": 5 * (number % 2) + number // 4 for number in range(20)}
    alone, together = (compare(ours, theirs, who)[0].set_index("metric").loc["dice"] for who in (None, patients))
    assert together["difference"] == alone["difference"]
    width = together["difference_high"] - together["difference_low"]
    assert width > alone["difference_high"] - alone["difference_low"]


def test_the_test_is_over_patients():
    theirs = np.linspace(0.3, 0.8, 12)
    patients = {f"case-{number}": number // 2 for number in range(12)}
    table, _ = compare(measured(theirs + 0.1), measured(theirs), patients)
    found = table.set_index("metric").loc["dice"]
    assert (found["n"], found["wilcoxon_p"]) == (12, pytest.approx(2 / 2**6))


def test_the_same_comparison_gives_the_same_picture(tmp_path):
    found = compare(measured([0.5, 0.6, 0.7]), measured([0.4, 0.6, 0.8]))
    for name in ("a.svg", "b.svg"):
        plot_comparison(*found, ("old", "new"), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").stat().st_size > 5000
