"""Two studies on the same cases: which one is better, by how much, and whether that may be chance."""

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
    """The paired difference of each metric, ours − theirs, by split and label; and the pairs themselves.

    Both are tables of `measure`. Only cases that stand in the same split of both are compared: what one study trained
    on says nothing. Of each metric the table has the pairs with a value in both, both means, the mean difference with
    its 95 % interval over patients (`mean_interval`), the median difference, how many cases rose and fell, and the p
    value of Wilcoxon's signed-rank test (1945), which is 1 where nothing differs; it is not corrected for the number of
    metrics. Raises InputError where no case is in both.
    """
    metrics = [column for column in ours if column not in TEXT and column in theirs]
    both = ours.merge(theirs, on=PAIRED, suffixes=("_ours", "_theirs"))
    if both.empty:
        raise InputError("the two studies have no case in the same split, so there is nothing to compare")
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
    """What `compare` tells of the pairs of one metric."""
    difference = group["difference"].to_numpy()
    low, high = mean_interval(difference, owners[group.index].to_numpy())
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
        "wilcoxon_p": float(wilcoxon(difference).pvalue) if difference.any() else 1.0,
    }
