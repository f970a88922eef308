"""The parts of the report on the scans: cohort, flow, labels, other series, refused cases, and flags."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.plurals import counted
from ctseg.report.cohort import subjects
from ctseg.report.flow import flow
from ctseg.report.html import svg, table


def on_scans(
    source: Any, params: Mapping[str, Any], cohort: pd.DataFrame, links: Mapping[str, str], measured: int | None
) -> dict[str, Any]:
    """The parts on the scans and their flags; scans with a flag come first.

    `measured` is the number of cases with metrics, None if nothing was measured.
    """
    scans = pd.read_csv(source.scans, sep="\t", dtype={"case": str, "flags": str}, keep_default_na=False)
    refused, who = refused_table(source), subjects(params["config"]["cases"]["source"])
    over = pd.read_csv(source.passed_over, sep="\t", dtype={"case": str})
    labels = pd.read_csv(source.label_table, sep="\t", dtype={"case": str, "label": str}, keep_default_na=False)
    return {
        "cohort_text": cohort_text(cohort, params["config"]["cases"]["source"], not source.get("members")),
        "flow": flow(params, refused, cohort, measured),
        "cohort_figure": svg(source.cohort_figure),
        "cohort_table": table(cohort.dropna(axis="columns", how="all").rename(columns={"patient": who}), sortable=True),
        "passed_over": over,
        "passed_over_table": table(over),
        "label_table": table(labels, sortable=True) if len(labels) else "",
        "label_notes": Path(source.label_notes).read_text(encoding="utf-8").splitlines(),
        "excluded": params["excluded"],
        "refused_table": table(refused) if len(refused) else "",
        "scans_table": table(scans.sort_values("flags", key=lambda flags: flags == "", kind="stable"), links, True),
    }


def refused_table(source: Any) -> pd.DataFrame:
    """Table of the refused cases with their reasons."""
    return pd.read_csv(source.refused, sep="\t", dtype=str, keep_default_na=False)


def cohort_text(cohort: pd.DataFrame, origin: str, given: bool) -> str:
    """Numbers of scans and patients in each split, in words; `given` is true for a model from another study.

    `origin` is the config's `cases.source`.
    """
    who = subjects(origin)
    parts = [
        f"{split}: {counted(len(rows), 'scan')} of {counted(rows['patient'].nunique(), who)}"
        for split, rows in cohort.groupby("split")
    ]
    apart = f" {_apart(cohort, who)}" if len(parts) > 1 else ""
    model = " This study trained nothing on them: the model comes from another study." if given else ""
    return f"{'; '.join(parts)}.{apart}{model}"


def _apart(cohort: pd.DataFrame, who: str) -> str:
    """A sentence on the patients who are in several splits; only an unlabelled scan can be of such a patient."""
    n_splits = cohort.groupby("patient")["split"].nunique()
    if not (n_several := int((n_splits > 1).sum())):
        return f"No {who} is in two splits."
    also = f"{counted(n_several, who)} of predict {'is' if n_several == 1 else 'are'} also in another split"
    return f"No {who} is in two of train, val and test; {also}."
