"""Dice of a case with each trial of threshold and postprocessing, from which the final values are chosen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctseg.decisions import Stored, decided
from ctseg.geometry.volume import Volume
from ctseg.tuning.thresholds import KEYS, scores, trials

COLUMNS = dict.fromkeys(["case", "label", *KEYS], "") | {"dice": ".6f"}


def score_rows(
    case: str,
    maps: tuple[Volume, Volume],
    label: Volume,
    lungs: Volume | None,
    plan: Stored,
    wanted: Mapping[str, Any],
    labels: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """One row per trial and label.

    `maps` are classes and probabilities as in `thresholds.scores`, `label` is a label map on their grid, `lungs` the
    lung field if it is plausible, else None; `wanted` is the section `postprocess` of the config, `labels` are the
    names of the targets in the order of their values.
    """
    tried = trials(dict(wanted), decided(plan, "smallest_component_mm3"))
    restrict = wanted["restrict_to_region"] and decided(plan, "region") == "lungs"
    for row in scores(*maps, label, tried, len(labels), restrict, lungs):
        yield {**row, "case": case, "label": labels[row["label"] - 1]}
