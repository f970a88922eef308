"""95 % interval of the mean of a metric over cases, by the kind of metric: count, share of lesions, or other value."""

import numpy as np
import pandas as pd

from ctseg.catalogue.metrics import COUNT, metric_of
from ctseg.evaluation.intervals import Interval, mean_interval, rate_interval, share_interval

# Metrics that are shares of lesions: column of the numerator, and columns that add up to the denominator.
LESION_SHARES = {
    "lesion_sensitivity": ("found_lesions", ("reference_lesions",)),
    "lesion_precision": ("found_lesions", ("predicted_lesions",)),
    "lesion_f1": ("found_lesions", ("reference_lesions", "false_lesions")),
}


def metric_interval(metric: str, rows: pd.DataFrame, patients: pd.Series) -> Interval:
    """95 % interval of the mean of the column `metric` over the rows with a value.

    `patients` has the patient of each row, with the index of `rows`. Counts have the interval of a rate
    (`rate_interval`), all other metrics `mean_interval`. For a share of lesions, the distance of each end from the mean
    is at least the distance between the exact interval of all lesions pooled and their share, because few cases may
    agree by chance.
    """
    there = rows[rows[metric].notna()]
    owners = patients[there.index].to_numpy()
    known, values = metric_of(metric), there[metric].to_numpy(float)
    if known.unit == COUNT:
        return rate_interval(values, owners)
    low, high = mean_interval(values, owners, known.bounds)
    if metric not in LESION_SHARES or np.isnan(low):
        return low, high
    share, (least, most) = _pooled(metric, there, owners)
    mean = float(values.mean())
    return max(0.0, min(low, mean - (share - least))), min(1.0, max(high, mean + (most - share)))


def _pooled(metric: str, rows: pd.DataFrame, patients: np.ndarray) -> tuple[float, Interval]:
    """Share over all lesions pooled, and its interval; F1 is 2s / (1 + s) of the share s of its two columns."""
    column, wholes = LESION_SHARES[metric]
    hits, totals = rows[column].to_numpy(float), rows[list(wholes)].sum(axis=1).to_numpy(float)
    found = [hits.sum() / totals.sum(), *share_interval(hits, totals, patients)]
    share, low, high = (2 * part / (1 + part) if metric == "lesion_f1" else part for part in found)
    return share, (low, high)
