import pandas as pd
import pytest

from ctseg.evaluation.case_metrics import COLUMNS
from ctseg.evaluation.intervals import mean_interval
from ctseg.evaluation.summary import best_threshold, note, read_tables, summarise

NAN = float("nan")
BASELINE = ["case", "split", "fold", "label", "threshold_hu", "dice"]


def row(case, state="both", dice=0.5, split="test", label="nodule"):
    """Cells of a table row as written by `measure`."""
    values = dict.fromkeys(COLUMNS, "1.0") | {"dice": f"{dice:.4f}", "iou": f"{dice:.4f}"}
    return [case, split, "", label, state, *values.values()]


@pytest.fixture
def cases(tmp_path):
    """Function that writes each row to a file, as the workflow does, and reads them back as a table."""

    def build(*rows):
        paths = []
        for number, cells in enumerate(rows):
            path = tmp_path / f"{number}.tsv"
            path.write_text("\t".join(["case", "split", "fold", "label", "state", *COLUMNS]) + "\n" + "\t".join(cells))
            paths.append(path)
        return read_tables(paths)

    return build


@pytest.fixture
def no_baseline(tmp_path):
    """Table of a disabled baseline, which has only a header."""
    (tmp_path / "baseline.tsv").write_text("\t".join(BASELINE) + "\n")
    return read_tables([tmp_path / "baseline.tsv"])


def dice_of(summary):
    return summary[summary["metric"] == "dice"].iloc[0]


def test_names_that_look_like_numbers_stay_text(cases):
    table = cases(row("001", label="1"), row("002", label="1"))
    assert table["case"].tolist() == ["001", "002"]
    assert table["label"].tolist() == ["1", "1"]
    assert table["dice"].dtype == float


def test_the_summary_leaves_out_what_is_undefined_and_counts_it(cases):
    table = cases(row("a", dice=0.8), row("b", "missed", 0.0), row("c", "both_empty", NAN), row("d", dice=0.4))
    dice = dice_of(summarise(table))
    assert (dice["n_cases"], dice["n"], dice["n_missed"], dice["n_both_empty"]) == (4, 3, 1, 1)
    assert dice["mean"] == pytest.approx(0.4)
    assert dice["median"] == pytest.approx(0.4)
    assert (dice["min"], dice["max"]) == (0, 0.8)


def test_groups_are_summarised_beside_all_cases(cases):
    table = cases(row("a", dice=0.8), row("b", dice=0.2), row("c", dice=0.5))
    summary = summarise(table, groups={"site": {"a": "Basel", "b": "Bern", "c": "Basel"}})
    dice = summary[summary["metric"] == "dice"].set_index("group")["mean"]
    assert dice.to_dict() == pytest.approx({"all": 0.5, "site: Basel": 0.65, "site: Bern": 0.2})


def test_splits_and_labels_are_summarised_apart(cases):
    summary = summarise(cases(row("a"), row("b", split="val"), row("a", label="node")))
    groups = set(zip(summary["split"], summary["label"], strict=True))
    assert groups == {("test", "nodule"), ("val", "nodule"), ("test", "node")}


def test_the_best_threshold_has_the_highest_mean_not_the_highest_single_dice():
    rows = [("a", 0, 0.9), ("b", 0, 0.0), ("a", 100, 0.5), ("b", 100, 0.6)]
    table = pd.DataFrame(
        [{"case": c, "split": "test", "label": "nodule", "threshold_hu": t, "dice": d} for c, t, d in rows]
    )
    best = best_threshold(table).iloc[0]
    assert (best["threshold_hu"], best["dice"]) == (100, pytest.approx(0.55))


def test_the_note_names_dice_and_the_baseline(cases):
    table = cases(row("a", dice=0.8), row("b", dice=0.6))
    baseline = pd.DataFrame([["a", "test", "", "nodule", -300.0, 0.25]], columns=BASELINE)
    text = note(summarise(table), baseline)
    assert "test, nodule: Dice 0.700 ± 0.141" in text
    assert "-300 HU" in text
    assert "0.250" in text


def test_the_note_of_a_single_or_empty_case_without_baseline_reads_well(cases, no_baseline):
    assert "nan" not in note(summarise(cases(row("a"))), no_baseline)
    assert "nan" not in note(summarise(cases(row("a", "both_empty", NAN))), no_baseline)


def test_the_summary_has_the_interval_over_patients(cases):
    table = cases(row("a", dice=0.7), row("b", dice=0.8), row("c", dice=0.9), row("d", dice=0.6))
    alone, together = (dice_of(summarise(table, who)) for who in (None, {"a": 1, "b": 1, "c": 2, "d": 3}))
    assert (alone["mean_low"], alone["mean_high"]) == pytest.approx(mean_interval(table["dice"], range(4), (0, 1)))
    assert (together["mean_low"], together["mean_high"]) == pytest.approx(
        mean_interval(table["dice"], [1, 1, 2, 3], (0, 1))
    )
    assert together["mean"] == alone["mean"]
