"""Whether what the network calls 70 % probable is right seven times in ten."""

from typing import Any

import numpy as np

from ctseg.evaluation.lesion_detection import ratio
from ctseg.geometry.resample import bounding_box, grow_box
from ctseg.geometry.volume import Grid

BINS = 10  # of equal width (Guo et al., On calibration of modern neural networks, ICML 2017)
MARGIN_MM = 10.0  # around the target: farther away everything is background, and sure, and would hide the rest
# Order and format of the columns of the metrics table.
COLUMNS = {"brier": ".5f", "ece": ".5f"}
# Sums over the voxels of a bin, which add up over cases, with the format in their table.
SUMS = {"voxels": ".0f", "positives": ".0f", "sum_probability": ".3f", "sum_squared_error": ".3f"}


def reliability(reference: np.ndarray, low_threshold: np.ndarray, probability: np.ndarray, grid: Grid) -> np.ndarray:
    """The sums of `SUMS`, a row for each of the `BINS` bins of probability.

    `reference` and `low_threshold` are boolean masks [z, y, x] of one class, `probability` its probability in 255ths;
    it counts as 0 outside of `low_threshold`. Only voxels in the box of both masks with a margin of 10 mm count, as
    Mehrtash et al. (IEEE TMI 2020) do, since the rest of a scan is background and sure. All sums are 0 where both are
    empty.
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

    Both are 0 at best; NaN without any voxel.
    """
    voxels, positives, probability, squared_error = sums.T
    return {
        "brier": ratio(squared_error.sum(), voxels.sum()),
        "ece": ratio(np.abs(probability - positives).sum(), voxels.sum()),
    }
