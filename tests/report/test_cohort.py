import pandas as pd

from ctseg.report.cohort import cohort_table, passed_over
from ctseg.report.study_plots import plot_cohort

FACTS = {
    "size_xyz": [512, 510, 300],
    "spacing_xyz_mm": [0.7, 0.7, 1.25],
    "manufacturer": "ACME",
    "contrast": False,
    "kvp": 120.0,
    "warnings": ["tilted", "lossy"],
    "series": {"others": [{"modality": "CT", "images": 2, "kernel": "B30f", "reason": "a localizer"}]},
}
PLACES = {"a": {"split": "train", "fold": 1, "patient": 0}, "b": {"split": "test", "fold": None, "patient": 1}}


def test_the_cohort_tells_voxels_and_what_was_warned_of():
    table = cohort_table({"a": FACTS, "b": {key: FACTS[key] for key in ("size_xyz", "spacing_xyz_mm")}}, PLACES)
    first, second = table.to_dict("records")
    assert (first["columns"], first["rows"], first["slices"], first["length_mm"]) == (512, 510, 300, 375.0)
    assert first["warnings"] == "tilted; lossy"
    assert (first["split"], first["patient"], first["manufacturer"]) == ("train", 0, "ACME")
    assert first["contrast"] == "no"
    assert pd.isna(second["contrast"])
    assert second["warnings"] is None or second["warnings"] != second["warnings"]


def test_series_that_were_not_taken_are_told_with_their_reason():
    (row,) = passed_over({"a": FACTS, "b": {}}).to_dict("records")
    assert (row["case"], row["images"], row["reason"]) == ("a", 2, "a localizer")
    assert list(passed_over({"b": {}}).columns) == list(row)


def test_histograms_of_one_and_of_several_scans(tmp_path):
    table = cohort_table({"a": FACTS, "b": FACTS}, PLACES)
    plot_cohort(table, tmp_path / "two.svg")
    plot_cohort(table.head(1), tmp_path / "one.svg")
    assert (tmp_path / "one.svg").read_bytes() != (tmp_path / "two.svg").read_bytes()
