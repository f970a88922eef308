"""The 95 % interval of the mean of a metric over cases, by what the metric counts or measures."""

import numpy as np
import pandas as pd

from ctseg.catalogue.metrics import COUNT, metric_of
from ctseg.evaluation.intervals import Interval, mean_interval, rate_interval, share_interval

# Metrics that are a share of lesions: found ones, and those that these are a share of.
LESION_SHARES = {
    "lesion_sensitivity": ("found_lesions", ("reference_lesions",)),
    "lesion_precision": ("found_lesions", ("predicted_lesions",)),
    "lesion_f1": ("found_lesions", ("reference_lesions", "false_lesions")),
}


def metric_interval(metric: str, rows: pd.DataFrame, patients: pd.Series) -> Interval:
    """The interval of the mean of the column `metric` over those of `rows` where it is defined.

    `patients` has that of each row. Numbers of things have the interval of a rate. A share of lesions has that of its
    mean over cases, and reaches at least as far from it as the exact interval of all lesions together from their share:
    few cases may agree by chance.
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
    """A share of all lesions together with its interval; F1 rises with the share of found among all there are."""
    column, wholes = LESION_SHARES[metric]
    hits, totals = rows[column].to_numpy(float), rows[list(wholes)].sum(axis=1).to_numpy(float)
    found = [hits.sum() / totals.sum(), *share_interval(hits, totals, patients)]
    share, low, high = (2 * part / (1 + part) if metric == "lesion_f1" else part for part in found)
    return share, (low, high)
