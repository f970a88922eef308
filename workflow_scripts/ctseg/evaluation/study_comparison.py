"""Paired comparison of two studies on the same cases: mean differences, intervals, and Wilcoxon's test."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from ctseg.catalogue.metrics import metric_of
from ctseg.errors import InputError
from ctseg.evaluation.intervals import mean_interval
from ctseg.evaluation.summary import KEYS, TEXT

PAIRED = ["case", *KEYS]


def compare(
    ours: pd.DataFrame, theirs: pd.DataFrame, patients: Mapping[str, Any] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table of the paired differences (ours − theirs) of each metric by split and label; and table of the pairs.

    Both arguments are tables of the metrics of all cases; `patients` maps each case to its patient (without it each
    case is a patient). Only cases in the same split of both studies are compared, because a result on a training case
    says nothing. For each metric the first table has the number of pairs with a value in both, both means, the mean
    difference with its 95 % interval over patients (`mean_interval`), the median difference, the numbers of cases that
    rose and fell, and the p value of Wilcoxon's signed-rank test (1945) of the patients' mean differences. The p value
    is 1 if none differs, and it is not corrected for the number of metrics. Raises InputError if the studies share no
    case with the same split and label.
    """
    metrics = [column for column in ours if column not in TEXT and column in theirs]
    both = ours.merge(theirs, on=PAIRED, suffixes=("_ours", "_theirs"))
    if both.empty:
        raise InputError("the two studies have no case with the same split and label, so there is nothing to compare")
    pairs = pd.concat(
        [
            both[PAIRED].assign(metric=metric, ours=both[f"{metric}_ours"], theirs=both[f"{metric}_theirs"])
            for metric in metrics
        ]
    )
    pairs = pairs.dropna().reset_index(drop=True)
    pairs["difference"] = pairs["ours"] - pairs["theirs"]
    owners = pairs["case"].map(patients) if patients else pairs["case"]
    rows = [
        {
            "split": split,
            "label": label,
            "metric": metric,
            "unit": metric_of(str(metric)).unit,
            **_difference(group, owners),
        }
        for (split, label, metric), group in pairs.groupby([*KEYS, "metric"], sort=False)
    ]
    return pd.DataFrame(rows), pairs


def _difference(group: pd.DataFrame, owners: pd.Series) -> dict[str, Any]:
    """Statistics of `compare` for the pairs of one metric; `owners` are the patients of all pairs, by index."""
    difference = group["difference"].to_numpy()
    low, high = mean_interval(difference, owners[group.index].to_numpy())
    of_patients = group["difference"].groupby(owners[group.index]).mean().to_numpy()
    return {
        "n": difference.size,
        "ours": group["ours"].mean(),
        "theirs": group["theirs"].mean(),
        "difference": difference.mean(),
        "difference_low": low,
        "difference_high": high,
        "median_difference": float(np.median(difference)),
        "rose": int((difference > 0).sum()),
        "fell": int((difference < 0).sum()),
        "wilcoxon_p": float(wilcoxon(of_patients).pvalue) if of_patients.any() else 1.0,
    }
