"""The way of a study's scans: how many it found, left out, refused, and used for what."""

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
    """What is left at a stage, in words, and what was left out after it, with the reasons."""

    left: str
    out: list[str] = field(default_factory=list)


def flow(params: Mapping[str, Any], refused: pd.DataFrame, cohort: pd.DataFrame, measured: int | None) -> list[Stage]:
    """The stages from what was found to what was used.

    `params` has the names of the `cases`, of those `excluded` in the config, of those `reported`, which a split of the
    study uses, of those `labelled`, and of those `segmented`. `refused` is the table of refused cases, `cohort` that of
    scans, and `measured` the number of cases with metrics.
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
    """How many cases each rule refused, each case at its first rule."""
    first = refused.drop_duplicates("case")["refused_by"].value_counts()
    return [f"{count} refused: {FAULTS.get(rule, rule)}" for rule, count in first.items()]


def _used(cohort: pd.DataFrame, refused: pd.DataFrame, segmented: Sequence[str]) -> str:
    """How many scans each split uses; a scan without its usable label is segmented alone, where its split is."""
    splits = cohort.set_index("case")["split"].copy()
    spoilt = splits.index.isin(refused["case"])
    splits[spoilt] = "predict"
    counts = splits[~spoilt | splits.index.isin(list(segmented))].value_counts()
    return ", ".join(f"{counts[split]} {use}" for split, use in USES.items() if split in counts) or "none used"
