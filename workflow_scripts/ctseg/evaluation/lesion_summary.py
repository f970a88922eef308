"""Summary of all lesions of a study: found and false lesions by diameter, with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ctseg.evaluation.intervals import rate_interval, share_interval
from ctseg.evaluation.lesion_detection import ratio
from ctseg.evaluation.lesion_rows import FALSE, FOUND, MISSED
from ctseg.evaluation.summary import ALL, KEYS

EDGES_MM = (6.0, 10.0, 20.0, 30.0, 50.0)  # limits between the classes of diameter


def diameter_class(diameter_mm: float) -> str:
    """Class of a longest diameter in words; a diameter at a limit belongs to the class above."""
    place = int(np.searchsorted(EDGES_MM, diameter_mm, side="right"))
    if place == 0:
        return f"below {EDGES_MM[0]:g} mm"
    if place == len(EDGES_MM):
        return f"{EDGES_MM[-1]:g} mm or more"
    return f"{EDGES_MM[place - 1]:g} to {EDGES_MM[place]:g} mm"


def lesion_summary(
    lesions: pd.DataFrame, cases: pd.DataFrame, patients: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Found and false lesions by split and label: first all lesions, then each class of diameter.

    `lesions` are the rows of `lesion_rows` of all cases; `cases` are the rows of metrics, which also have cases without
    a lesion. Sensitivity and precision are shares over all lesions pooled. They and the number of false lesions per
    scan have intervals over patients; `patients` maps each case to its patient (without it each case is a patient). A
    false lesion belongs to the class of its own diameter. Precision is not defined within a class, so only the row of
    all lesions has it.
    """
    rows = []
    classes = lesions["diameter_mm"].map(diameter_class)
    for (split, label), scans in cases.groupby(KEYS, sort=True):
        of_group = (lesions["split"] == split) & (lesions["label"] == label)
        owners = (scans["case"].map(patients) if patients else scans["case"]).to_numpy()
        rows.append(
            {"split": split, "label": label, "diameter": ALL} | pooled(lesions[of_group], scans["case"], owners)
        )
        for name in [diameter_class(edge) for edge in (0.0, *EDGES_MM)]:
            some = lesions[of_group & (classes == name)]
            if len(some):
                found = pooled(some, scans["case"], owners)
                unclear = dict.fromkeys(["precision", "precision_low", "precision_high"], np.nan)
                rows.append({"split": split, "label": label, "diameter": name} | found | unclear)
    return pd.DataFrame(rows)


def pooled(lesions: pd.DataFrame, scans: pd.Series, patients: np.ndarray) -> dict[str, Any]:
    """Counts and shares of lesions pooled over the cases `scans`, with intervals; `patients` has the same order."""
    found, missed, false = (
        lesions.loc[lesions["state"] == state, "case"].value_counts().reindex(scans, fill_value=0).to_numpy(float)
        for state in (FOUND, MISSED, FALSE)
    )
    sensitivity = share_interval(found, found + missed, patients)
    precision = share_interval(found, found + false, patients)
    rate = rate_interval(false, patients)
    return {
        "scans": len(scans),
        "lesions": int((found + missed).sum()),
        "found": int(found.sum()),
        "sensitivity": ratio(found.sum(), (found + missed).sum()),
        "sensitivity_low": sensitivity[0],
        "sensitivity_high": sensitivity[1],
        "false": int(false.sum()),
        "precision": ratio(found.sum(), (found + false).sum()),
        "precision_low": precision[0],
        "precision_high": precision[1],
        "false_per_scan": ratio(false.sum(), len(scans)),
        "false_per_scan_low": rate[0],
        "false_per_scan_high": rate[1],
    }
