"""Rows of a case in the tables of FROC counts and of calibration."""

import numpy as np

from ctseg.evaluation.calibration import BINS
from ctseg.evaluation.froc import THRESHOLDS
from ctseg.evaluation.probability_rows import FROC_COLUMNS, RELIABILITY_COLUMNS, froc_rows, reliability_rows
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.postprocessing import PostprocessSettings

GRID = Grid((12, 12, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
PARAMS = {"case": "a", "split": "val", "fold": 1, "labels": ["tumour", "node"], "lesion_iou": 0.1}


def volumes():
    """Label, segmentation and probability map (uint8) of a tumour with a probability of 80 %, and no node."""
    label = np.zeros(GRID.shape_zyx, np.uint8)
    label[4:8, 4:8, 4:8] = 1
    return Volume(label, GRID), Volume(label.copy(), GRID), Volume(label * np.uint8(204), GRID)


def test_each_threshold_and_target_has_a_row():
    rows = list(froc_rows(*volumes(), PostprocessSettings(0, False, False), 0.5, None, PARAMS))
    assert len(rows) == len(THRESHOLDS) * 2
    assert {row["threshold"] for row in rows if row["label"] == "tumour" and row["found_lesions"]} == {
        threshold for threshold in THRESHOLDS if threshold <= 0.8
    }
    assert {(row["case"], row["split"], row["fold"]) for row in rows} == {("a", "val", 1)}
    assert set(rows[0]) == set(FROC_COLUMNS)


def test_each_bin_and_target_has_a_row():
    rows = list(reliability_rows(*volumes(), PARAMS))
    assert [(row["label"], row["bin"]) for row in rows] == [
        (name, f"{number / BINS:g}") for name in ("tumour", "node") for number in range(BINS)
    ]
    (sure,) = [row for row in rows if row["bin"] == "0.8" and row["label"] == "tumour"]
    assert sure["voxels"] == sure["positives"] == 64
    assert not any(row["voxels"] for row in rows if row["label"] == "node")
    assert set(rows[0]) == set(RELIABILITY_COLUMNS)
