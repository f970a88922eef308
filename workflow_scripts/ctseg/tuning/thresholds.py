"""Choosing threshold and postprocessing by what they bring on cases that the network was not trained on.

The choice is made once, for the mean Dice of all such cases, and written into the model; the held-out test cases take
no part in it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from ctseg.decisions import GIVEN, Decision, Stored, stored
from ctseg.geometry.resample import bounding_box, grow_box
from ctseg.geometry.volume import Volume
from ctseg.masks.overlap import dice_of_classes, mean_dice
from ctseg.masks.postprocessing import REACH_MM, PostprocessSettings, postprocess

THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7)  # the one to prefer first
SIZES = (0.0, 0.5, 1.0, 2.0)  # times the plan's smallest component
GAIN = 0.002  # of mean Dice, below which the first trial is as good: less is chance
KEYS = ["threshold", "min_volume_mm3", "keep_largest"]


@dataclass(frozen=True)
class Trial:
    """A threshold, and what is removed after it."""

    threshold: float
    min_volume_mm3: float
    keep_largest: bool


def trials(wanted: dict[str, Any], smallest_component_mm3: float) -> list[Trial]:
    """What to try, the most ordinary first; `wanted` is the section `postprocess` of the config."""
    sizes = sorted({round(share * smallest_component_mm3, 3) for share in SIZES})
    thresholds = THRESHOLDS if wanted["threshold"] == "auto" else [wanted["threshold"]]
    volumes = sizes if wanted["min_volume_mm3"] == "auto" else [wanted["min_volume_mm3"]]
    keep = [False, True] if wanted["keep_largest"] == "auto" else [wanted["keep_largest"]]
    return [Trial(threshold, volume, largest) for largest, threshold, volume in product(keep, thresholds, volumes)]


def scores(
    classes: Volume,
    probability: Volume,
    reference: Volume,
    tried: list[Trial],
    n_classes: int,
    restrict: bool,
    lungs: Volume | None,
) -> Iterator[dict[str, Any]]:
    """Dice of each class with each trial; NaN where neither the reference nor what is found has a voxel of it.

    `classes` are `low_threshold` of `native_grid.Maps`, `probability` their probability in 255ths; `lungs` is the lung
    field where there is a plausible one.
    """
    classes, probability, reference, lungs = around_targets(classes, probability, reference, lungs)
    for trial in tried:
        sure = probability.voxels_zyx >= trial.threshold * 255
        settings = PostprocessSettings(trial.min_volume_mm3, trial.keep_largest, restrict)
        found, _ = postprocess(classes.with_voxels(classes.voxels_zyx * sure), settings, lungs, lungs is not None)
        for value, dice in enumerate(dice_of_classes(reference.voxels_zyx, found.voxels_zyx, n_classes), start=1):
            yield {
                "label": value,
                "threshold": trial.threshold,
                "min_volume_mm3": trial.min_volume_mm3,
                "keep_largest": trial.keep_largest,
                "dice": dice,
            }


def around_targets(
    classes: Volume, probability: Volume, reference: Volume, lungs: Volume | None
) -> tuple[Volume, Volume, Volume, Volume | None]:
    """The volumes without what lies far from every target: most of a scan is empty."""
    box = bounding_box((classes.voxels_zyx > 0) | (reference.voxels_zyx > 0))
    if box is None:
        return classes, probability, reference, lungs
    box = grow_box(box, REACH_MM, classes.grid)  # what lies near enough to the lungs is judged by their distance
    lungs = lungs.cropped(box) if lungs else None
    return classes.cropped(box), probability.cropped(box), reference.cropped(box), lungs


def choose(rows: Iterable[Mapping[str, Any]], tried: list[Trial]) -> tuple[Trial, list[float]]:
    """The trial with the best mean Dice, and the mean Dice of each; `rows` are the `scores` of all cases.

    An earlier trial that reaches the best one to within `GAIN` is taken instead. Where no case has a target Dice
    says nothing, and the first trial is taken.
    """
    found: dict[Trial, list[float]] = {trial: [] for trial in tried}
    for row in rows:
        found[Trial(row["threshold"], row["min_volume_mm3"], row["keep_largest"])].append(row["dice"])
    means = [mean_dice(values) for values in found.values()]
    # Where no case has a target the Dice is 0 with false alarms, and not defined without: the former is not better.
    best = max((value for value in means if value > 0), default=math.nan)
    first = next((place for place, value in enumerate(means) if value >= best - GAIN), 0)
    return tried[first], means


def postprocessing(wanted: dict[str, Any], region: str, chosen: Trial, dice: float | None, n_cases: int) -> Stored:
    """Threshold and postprocessing as {"value", "reason"}; `dice` is that of the choice where one was made.

    `n_cases` are those that have a Dice; it is NaN where none has.
    """
    by_dice = "" if dice is None else f"mean Dice {dice:.3f} on {n_cases} cases out of training"
    if dice is not None and math.isnan(dice):
        by_dice = "no case out of training has a voxel of any target, so no choice is better"
    made = {key: Decision(getattr(chosen, key), by_dice if wanted[key] == "auto" else GIVEN) for key in KEYS}
    restrict = wanted["restrict_to_region"] and region == "lungs"
    made["region"] = Decision(region, "as in the plan")
    made["restrict_to_region"] = Decision(
        restrict, f"the region is {region}" if wanted["restrict_to_region"] else GIVEN
    )
    return stored(made)
