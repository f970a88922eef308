import pandas as pd

from ctseg.report.scan_parts import cohort_text

COHORT = pd.DataFrame({"split": ["train", "train", "test"], "patient": [0, 0, 1]})


def test_each_split_is_counted_by_scans_and_patients():
    text = cohort_text(COHORT, "folder", given=False)
    assert text == "test: 1 scan of 1 patient; train: 2 scans of 1 patient. No patient is in two splits."
    assert "2 scans of 1 phantom. No phantom is in two splits." in cohort_text(COHORT, "phantom", given=False)


def test_scans_that_trained_nothing_are_told_of():
    text = cohort_text(COHORT[COHORT["split"] == "test"], "folder", given=True)
    assert text == "test: 1 scan of 1 patient. This study trained nothing on them: the model comes from another study."
