import pandas as pd

from ctseg.report.scan_parts import cohort_text

COHORT = pd.DataFrame({"split": ["train", "train", "test"], "patient": [0, 0, 1]})


def test_each_split_is_counted_by_scans_and_patients():
    text = cohort_text(COHORT, "folder", given=False)
    assert text == "test: 1 scan of 1 patient; train: 2 scans of 1 patient. No patient is in two splits."
    assert "2 scans of 1 phantom. No phantom is in two splits." in cohort_text(COHORT, "phantom", given=False)


def test_patients_who_are_also_predicted_are_counted():
    cohort = pd.concat([COHORT, pd.DataFrame({"split": ["predict", "predict"], "patient": [1, 2]})])
    said = "No patient is in two of train, val and test; 1 patient of predict is also in another split."
    assert said in cohort_text(cohort, "folder", given=False)
    cohort = pd.concat([cohort, pd.DataFrame({"split": ["predict"], "patient": [0]})])
    assert "2 patients of predict are also in another split." in cohort_text(cohort, "folder", given=False)


def test_scans_that_trained_nothing_are_told_of():
    text = cohort_text(COHORT[COHORT["split"] == "test"], "folder", given=True)
    assert text == "test: 1 scan of 1 patient. This study trained nothing on them: the model comes from another study."
