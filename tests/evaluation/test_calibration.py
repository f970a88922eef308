import numpy as np
import pytest

from ctseg.evaluation.calibration import BINS, SUMS, calibration_metrics, reliability
from ctseg.geometry.volume import Grid

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((20, 20, 20), (1.0, 1.0, 1.0), (0, 0, 0), IDENTITY)


def summed(reference, probability):
    in_255ths = np.rint(probability * 255).astype(np.uint8)
    return reliability(reference, in_255ths > 0, in_255ths, GRID)


def test_probabilities_that_come_true_are_calibrated_and_others_are_not():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.05, 1, GRID.shape_zyx)
    truth = rng.random(GRID.shape_zyx) < probability
    honest = calibration_metrics(summed(truth, probability))
    boasting = calibration_metrics(summed(truth, np.sqrt(probability)))
    assert honest["ece"] < 0.02 < 0.1 < boasting["ece"]
    assert honest["brier"] == pytest.approx(np.mean((np.rint(probability * 255) / 255 - truth) ** 2), abs=1e-9)
    assert honest["brier"] < boasting["brier"]


def test_a_voxel_counts_in_the_bin_of_its_probability():
    probability = np.zeros(GRID.shape_zyx)
    probability[10, 10, 9:12] = [0.35, 0.98, 1.0]
    reference = np.zeros(GRID.shape_zyx, bool)
    reference[10, 10, 10] = True
    sums = dict(zip(SUMS, summed(reference, probability).T, strict=True))
    assert sums["voxels"][3] == 1
    assert sums["voxels"][BINS - 1] == 2
    assert sums["positives"].tolist() == [0] * 9 + [1]
    assert sums["sum_probability"][3] == pytest.approx(0.35, abs=0.002)


def test_what_is_far_from_the_target_does_not_count():
    reference = np.zeros((60, 60, 60), bool)
    reference[30, 30, 30] = True
    grid = Grid((60, 60, 60), (2.0, 1.0, 0.5), (0, 0, 0), IDENTITY)
    sums = reliability(reference, reference, np.where(reference, 255, 0), grid)
    depth, rows, columns = (2 * 10 / spacing + 1 for spacing in grid.spacing_zyx_mm)
    assert sums[:, 0].sum() == depth * rows * columns
    assert calibration_metrics(sums) == {"brier": 0, "ece": 0}


def test_without_a_target_nothing_can_be_said():
    nothing = np.zeros(GRID.shape_zyx, bool)
    assert np.isnan(list(calibration_metrics(reliability(nothing, nothing, nothing, GRID)).values())).all()
