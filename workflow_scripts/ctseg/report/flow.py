"""Flow of a study's scans: numbers of scans found, left out, refused, and used for each purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ctseg.plurals import counted

USES = {"train": "for training", "val": "for validation", "test": "for testing", "predict": "for prediction alone"}
FAULTS = {
    "convert_image": "scan unusable",
    "convert_label": "label unusable",
    "segment_lungs": "lung field unusable",
}


@dataclass(frozen=True)
class Stage:
    """A stage of the flow: remaining scans in words (`left`), and scans left out after it with reasons (`out`)."""

    left: str
    out: list[str] = field(default_factory=list)


def flow(params: Mapping[str, Any], refused: pd.DataFrame, cohort: pd.DataFrame, measured: int | None) -> list[Stage]:
    """Stages from the scans found to the scans used.

    `params` has lists of case names: the `cases` of the study, the ones `excluded` in the config, the ones `reported`
    (in a split that the study uses), the ones `labelled`, and the ones `segmented`. `refused` is the table of refused
    cases, `cohort` the table of scans, and `measured` the number of cases with metrics, or None.
    """
    cases, used = params["cases"], set(params["reported"])
    unused = len(cases) - len(used)
    lost = [case for case in params["reported"] if case not in set(cohort["case"])]
    stages = [Stage(f"{counted(len(cases) + len(params['excluded']), 'scan')} found", _excluded(params["excluded"]))]
    stages.append(Stage(f"{counted(len(cases), 'scan')} in the study", _some(unused, "in no split that is used")))
    stages.append(Stage(f"{counted(len(used), 'scan')} to convert", _faults(refused[refused["case"].isin(lost)])))
    others = refused[~refused["case"].isin(lost)]
    bare = len(set(cohort["case"]) - set(params["labelled"]))
    stages.append(Stage(f"{counted(len(cohort), 'scan')} usable", [*_faults(others), *_some(bare, "without a label")]))
    stages.append(Stage(_used(cohort, others, params["segmented"])))
    if measured is not None:
        stages.append(Stage(f"{counted(measured, 'scan')} measured"))
    return [stage for place, stage in enumerate(stages) if place == 0 or stage.out or place >= 3]


def _excluded(names: Sequence[str]) -> list[str]:
    return [f"{len(names)} excluded in the config"] if names else []


def _some(count: int, what: str) -> list[str]:
    return [f"{count} {what}"] if count else []


def _faults(refused: pd.DataFrame) -> list[str]:
    """Numbers of cases refused by each rule, in words; a case counts for the first rule that refused it."""
    first = refused.drop_duplicates("case")["refused_by"].value_counts()
    return [f"{count} refused: {FAULTS.get(rule, rule)}" for rule, count in first.items()]


def _used(cohort: pd.DataFrame, refused: pd.DataFrame, segmented: Sequence[str]) -> str:
    """Numbers of scans for each use, in words; a scan in `refused` counts for prediction if it was segmented."""
    splits = cohort.set_index("case")["split"].copy()
    spoilt = splits.index.isin(refused["case"])
    splits[spoilt] = "predict"
    counts = splits[~spoilt | splits.index.isin(list(segmented))].value_counts()
    return ", ".join(f"{counts[split]} {use}" for split, use in USES.items() if split in counts) or "none used"
