"""Front page of the report: summary of the study, main figures with intervals, and cautions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ctseg.catalogue.metrics import COUNT, METRICS, SHARE
from ctseg.evaluation.summary import ALL
from ctseg.inference.model_card import ModelCard
from ctseg.plurals import counted
from ctseg.report.content import FAILED, columns_shown
from ctseg.training.history import LEARNT_NOTHING

FEW_CASES = 30  # with fewer cases the interval of a mean is always wide
MOVED_PERCENT = 10  # a larger change of a volume over shifted grids leads to a caution
# Metrics on the front page, in their order; the tile of found lesions is inserted before the false lesions.
HEADLINE = ("dice", "surface_dice", "hd95_mm", "absolute_volume_error_cm3", "false_lesions")


def summary(
    cohort: pd.DataFrame, card: ModelCard, cases: pd.DataFrame | None, split: str, given: bool, who: str
) -> str:
    """Summary of the study in one or two sentences; `who` is "patient" or "phantom", `given`: the model is given."""
    networks = "A 3-D network" if card.n_networks == 1 else f"An ensemble of {card.n_networks} 3-D networks"
    targets = ", ".join(card.labels)
    scans, patients = counted(len(cohort), "CT scan"), counted(cohort["patient"].nunique(), who)
    done = f"{networks} was trained on {card.training_cases} of {scans} of {patients} to segment {targets}."
    if given:
        done = (
            f"A model from another study, trained there on {card.training_data}, segmented {targets} "
            f"in {scans} of {patients}."
        )
    if cases is None:
        return f"{done} None of them has a label, so nothing was measured."
    measured = counted(cases.loc[cases["split"] == split, "case"].nunique(), "scan")
    return (
        f"{done} It was measured on {measured} of the split “{split}”, on the grid of each scan, with the exported "
        "model file itself."
    )


def headline(summary: pd.DataFrame, split: str, lesions: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Tiles of the front page for each label: name, mean with its unit, and interval in words.

    `lesions` is the table of `lesion_summary`; its sensitivity over all lesions has a tile of its own.
    """
    all_lesions = lesions[(lesions["split"] == split) & (lesions["diameter"] == ALL)].set_index("label")
    rows = summary[(summary["split"] == split) & (summary["group"] == ALL)]
    labels: dict[str, list[dict[str, Any]]] = {}
    for label, found in rows.groupby("label", sort=False):
        by_metric = found.set_index("metric")
        tiles = []
        for metric in HEADLINE:
            known = METRICS[metric]
            unit = f" {known.unit}" if known.unit not in (SHARE, COUNT) else ""
            for column in columns_shown(by_metric.index, [metric]):
                row = by_metric.loc[column]
                at = f" at {column.removeprefix('surface_dice_').removesuffix('mm')} mm" if column != metric else ""
                value = "–" if np.isnan(row["mean"]) else f"{row['mean']:.3g}{unit}"
                tiles.append({"name": known.title + at, "value": value, "interval": _interval(row)})
        labels[str(label)] = [*tiles[:-1], _found(all_lesions.loc[label]), *tiles[-1:]]
    return labels


def _found(row: Any) -> dict[str, Any]:
    """Tile of the found lesions: count, sensitivity, and its interval."""
    share = "" if np.isnan(row["sensitivity"]) else f"{row['sensitivity']:.0%}"
    known = not np.isnan(row["sensitivity_low"])
    interval = f"{share}; {row['sensitivity_low']:.0%} to {row['sensitivity_high']:.0%}" if known else share
    return {"name": "Lesions found", "value": f"{row['found']:.0f} of {row['lesions']:.0f}", "interval": interval}


def _interval(row: Any) -> str:
    """The interval of a mean and its number of cases, in words."""
    if np.isnan(row["mean_low"]):
        return f"{row['n']:.0f} of {row['n_cases']:.0f} cases"
    return f"{row['mean_low']:.3g} to {row['mean_high']:.3g}; {row['n']:.0f} of {row['n_cases']:.0f} cases"


def cautions(
    cases: pd.DataFrame | None,
    cohort: pd.DataFrame,
    split: str,
    source: str,
    networks: Mapping[str, float] | None,
    plausible: Mapping[str, bool],
) -> list[str]:
    """Limits of the figures that a reader must know, in sentences.

    `cases` is None if no case has a label. `networks` has the validation Dice of each network; it is None if the model
    is from another study. `plausible` has for each case whether its lung field is plausible.
    """
    blind = [name for name, dice in (networks or {}).items() if dice < LEARNT_NOTHING]
    implausible = sorted(case for case, good in plausible.items() if not good)
    warned = cohort["warnings"].notna().sum()
    found = {
        "The scans are phantoms made by ctseg: the figures show that the workflow works, but nothing about patients.": (
            source == "phantom"
        ),
        "No scan has a label: the quality of the segmentations was not measured.": cases is None,
        "The model was trained in another study; if its training included these patients, the figures are too good.": (
            networks is None and cases is not None
        ),
        "One network was trained: the influence of chance is unknown (see train.repeats and split.folds).": (
            networks is not None and len(networks) == 1
        ),
        f"Network {', '.join(blind)} learnt nothing: the target is found in no validation case. The log of training "
        "says what to try.": bool(blind),
        f"The lung field is not plausible in {', '.join(implausible)}; the whole scan was segmented there.": (
            bool(implausible)
        ),
        f"Scans with a warning: {warned} of {len(cohort)}; see the table of the cohort.": warned > 0,
    }
    on_metrics = [] if cases is None else _cautions_on_metrics(cases[cases["split"] == split], split)
    always = "The model is research software, not a medical device. It is only valid for scans like its training scans."
    return [*on_metrics, *(text for text, holds in found.items() if holds), always]


def _cautions_on_metrics(measured: pd.DataFrame, split: str) -> list[str]:
    """Limits of the figures of the headline's split, in sentences."""
    n_cases, failed = measured["case"].nunique(), measured[measured["state"].isin(FAILED)]
    moved = int((measured.get("stability_volume_percent", pd.Series(dtype=float)) > MOVED_PERCENT).sum())
    found = {
        "No case was held out: the figures come from cases that were used to choose weights, threshold and "
        "postprocessing, and are therefore too good.": split != "test",
        f"Only {counted(n_cases, 'case')} were measured: the intervals are wide and cannot include failures "
        "that none of these cases shows; subgroups have no meaning.": (1 < n_cases < FEW_CASES),
        "Only 1 case was measured: it says little about others, so the figures have no interval.": n_cases == 1,
        f"With the network's grid shifted by half a voxel, {counted(moved, 'volume')} of {len(measured)} changed by "
        f"more than {MOVED_PERCENT} %: smaller differences have no meaning for these.": moved > 0,
        f"In {len(failed)} of {len(measured)} comparisons the target was missed completely, or found in a case "
        f"without it: {', '.join(sorted(set(failed['case'])))}.": len(failed) > 0,
    }
    return [text for text, holds in found.items() if holds]
