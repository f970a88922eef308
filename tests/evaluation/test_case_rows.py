"""Rows of a case in the metrics tables."""

import numpy as np

from ctseg.evaluation.case_rows import BASELINE_COLUMNS, baseline_rows, metric_columns, metric_rows
from ctseg.geometry.volume import Grid, Volume

GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
PARAMS = {
    "case": "a",
    "split": "test",
    "fold": None,
    "labels": ["tumour", "node"],
    "tolerances_mm": [1.0],
    "lesion_iou": 0.1,
    "baseline_thresholds_hu": [-100, 0],
}


def label_map(*boxes):
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for value, box in enumerate(boxes, start=1):
        voxels[box] = value
    return Volume(voxels, GRID)


LABEL = label_map(np.s_[1:3, 1:3, 1:3], np.s_[5:7, 5:7, 5:7])


def test_each_target_has_a_row_with_its_own_metrics():
    found = label_map(np.s_[1:3, 1:3, 1:3], np.s_[5:7, 5:7, 4:6])
    rows = list(metric_rows(LABEL, found, PARAMS))
    assert [(row["case"], row["split"], row["label"], row["dice"]) for row in rows] == [
        ("a", "test", "tumour", 1.0),
        ("a", "test", "node", 0.5),
    ]
    assert rows[0].keys() == metric_columns(PARAMS["tolerances_mm"]).keys()


def test_each_target_has_the_dice_of_each_threshold():
    image = LABEL.with_voxels(np.where(LABEL.voxels_zyx == 1, 50, np.where(LABEL.voxels_zyx == 2, -50, -1000)))
    rows = list(baseline_rows(image, LABEL, None, PARAMS, 0.0))
    dice = {(row["label"], row["threshold_hu"]): row["dice"] for row in rows}
    assert dice == {("tumour", -100): 16 / 24, ("tumour", 0): 1.0, ("node", -100): 16 / 24, ("node", 0): 0.0}
    assert rows[0].keys() == BASELINE_COLUMNS.keys()


def test_the_baseline_stays_inside_the_lungs():
    image = LABEL.with_voxels(np.where(LABEL.voxels_zyx > 0, 50, -1000))
    lungs = LABEL.with_voxels((LABEL.voxels_zyx == 1).astype(np.uint8))
    rows = baseline_rows(image, LABEL, lungs, PARAMS, 0.0)
    assert {(row["label"], row["dice"]) for row in rows} == {("tumour", 1.0), ("node", 0.0)}
