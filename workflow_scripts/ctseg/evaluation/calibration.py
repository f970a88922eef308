"""Calibration of the network's probabilities: sums per bin, Brier score and expected calibration error."""

from typing import Any

import numpy as np

from ctseg.evaluation.lesion_detection import ratio
from ctseg.geometry.resample import bounding_box, grow_box
from ctseg.geometry.volume import Grid

BINS = 10  # bins of equal width (Guo et al., On calibration of modern neural networks, ICML 2017)
MARGIN_MM = 10.0  # around the target: voxels farther away are certain background and would dominate the result
# Order and format of the columns of the metrics table.
COLUMNS = {"brier": ".5f", "ece": ".5f"}
# Sums over the voxels of a bin, additive over cases, with their formats in the table.
SUMS = {"voxels": ".0f", "positives": ".0f", "sum_probability": ".3f", "sum_squared_error": ".3f"}


def reliability(reference: np.ndarray, low_threshold: np.ndarray, probability: np.ndarray, grid: Grid) -> np.ndarray:
    """The sums in `SUMS` for each of the `BINS` bins of probability, float64 [bin, sum].

    `reference` and `low_threshold` are boolean masks [z, y, x] of one class; `probability` [z, y, x] is the probability
    of this class in 255ths, and counts as 0 outside `low_threshold`. Only voxels in the joint bounding box of both
    masks with a margin of 10 mm count, as in Mehrtash et al. (IEEE TMI 2020), because the rest of a scan is certain
    background. All sums are 0 if both masks are empty.
    """
    box = bounding_box(reference | low_threshold)
    if box is None:
        return np.zeros((BINS, len(SUMS)))
    box = grow_box(box, MARGIN_MM, grid)
    truth = reference[box].ravel().astype(float)
    predicted = np.where(low_threshold[box], probability[box], 0).ravel() / 255
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    weights = (None, truth, predicted, (predicted - truth) ** 2)
    return np.stack([np.bincount(bins, weights=values, minlength=BINS) for values in weights], axis=1)


def calibration_metrics(sums: np.ndarray) -> dict[str, Any]:
    """Brier score (1950) and expected calibration error (Naeini et al., AAAI 2015) from the sums of `reliability`.

    `sums` is [bin, sum]. The best value of both is 0; both are NaN if no voxel was counted.
    """
    voxels, positives, probability, squared_error = sums.T
    return {
        "brier": ratio(squared_error.sum(), voxels.sum()),
        "ece": ratio(np.abs(probability - positives).sum(), voxels.sum()),
    }
