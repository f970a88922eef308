"""Results by acquisition: Dice and found lesions by vendor, kind of kernel, and use of contrast."""

import numpy as np
import pandas as pd

from ctseg.evaluation.acquisition import acquisition_groups
from ctseg.evaluation.lesion_summary import pooled
from ctseg.evaluation.metric_intervals import metric_interval
from ctseg.evaluation.summary import KEYS

LESIONS = ("lesions", "found", "sensitivity", "sensitivity_low", "sensitivity_high", "false")
COLUMNS = [*KEYS, "stratum", "value", "cases", "patients", "dice", "dice_low", "dice_high", *LESIONS]


def strata(cases: pd.DataFrame, lesions: pd.DataFrame, cohort: pd.DataFrame) -> pd.DataFrame:
    """One row per split, label and value of each of `acquisition_groups`, with intervals over patients.

    `cases` is the table of metrics, `lesions` has the rows of `lesion_rows`, and `cohort` is the table of scans.
    """
    patients = dict(zip(cohort["case"], cohort["patient"], strict=True))
    rows = []
    for stratum, values in acquisition_groups(cohort).items():
        groups = cases.groupby([*KEYS, cases["case"].map(values)], sort=True)
        for (split, label, value), scans in groups:
            owners = scans["case"].map(patients)
            low, high = metric_interval("dice", scans, owners)
            of_group = (lesions["split"] == split) & (lesions["label"] == label) & lesions["case"].isin(scans["case"])
            found = pooled(lesions[of_group], scans["case"], owners.to_numpy())
            known = {"split": split, "label": label, "stratum": stratum, "value": value}
            known |= {"cases": len(scans), "patients": owners.nunique()}
            known |= {"dice": np.nan if scans["dice"].isna().all() else scans["dice"].mean()}
            rows.append(known | {"dice_low": low, "dice_high": high} | {name: found[name] for name in LESIONS})
    return pd.DataFrame(rows, columns=COLUMNS)
