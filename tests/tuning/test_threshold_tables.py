"""Threshold and postprocessing, from the scores of cases to the choice."""

import numpy as np
import pandas as pd

from ctseg.geometry.volume import Grid, Volume
from ctseg.tuning.threshold_choice import tuned
from ctseg.tuning.threshold_scores import COLUMNS, score_rows

AUTO = {"threshold": "auto", "min_volume_mm3": 0, "keep_largest": False, "restrict_to_region": True}
PLAN = {"smallest_component_mm3": {"value": 1.0, "reason": ""}, "region": {"value": "body", "reason": ""}}
GRID = Grid((12, 12, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


def rows(case, percent):
    """Score rows of a case with a target of this probability and a rim of half the probability."""
    label, sure = np.zeros(GRID.shape_zyx, np.uint8), np.zeros(GRID.shape_zyx, np.uint8)
    sure[3:9, 3:9, 3:9] = round(percent * 2.55 / 2)
    sure[4:8, 4:8, 4:8] = round(percent * 2.55)
    label[4:8, 4:8, 4:8] = 1
    maps = Volume((sure > 0).astype(np.uint8), GRID), Volume(sure, GRID)
    return list(score_rows(case, maps, Volume(label, GRID), None, PLAN, AUTO, ["tumour"]))


def test_each_trial_and_target_has_a_row():
    found = rows("001", 65)
    assert set(found[0]) == set(COLUMNS)
    assert {(row["case"], row["label"]) for row in found} == {("001", "tumour")}
    assert {row["threshold"]: round(row["dice"], 2) for row in found} == {0.5: 1, 0.4: 1, 0.6: 1, 0.3: 0.46, 0.7: 0}


def test_the_choice_is_the_best_of_all_cases_and_says_why(tmp_path):
    paths = [tmp_path / "001.tsv", tmp_path / "002.tsv"]
    for path, percent in zip(paths, (65, 45), strict=True):
        pd.DataFrame(rows(path.stem, percent)).to_csv(path, sep="\t", index=False)
    made, tried = tuned(AUTO, PLAN, paths)
    assert made["threshold"] == {"value": 0.4, "reason": "mean Dice 1.000 on 2 cases out of training"}
    assert tried["threshold"].iloc[0] == 0.4
    assert tried["dice"].is_monotonic_decreasing


def test_without_scores_the_most_ordinary_is_taken():
    made, tried = tuned(AUTO, PLAN)
    assert made["threshold"]["value"] == 0.5
    assert tried["dice"].isna().all()
