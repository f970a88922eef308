"""Choice of threshold and postprocessing by their Dice on cases outside of training.

The choice is made once, by the mean Dice of all these cases, and written into the model. The held-out test cases are
not used for it.
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

THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7)  # in order of preference
SIZES = (0.0, 0.5, 1.0, 2.0)  # smallest volumes to try, as multiples of the plan's smallest component
GAIN = 0.002  # smallest gain of mean Dice over an earlier trial that is not chance
KEYS = ["threshold", "min_volume_mm3", "keep_largest"]


@dataclass(frozen=True)
class Trial:
    """A threshold, and the components that postprocessing removes."""

    threshold: float
    min_volume_mm3: float
    keep_largest: bool


def trials(wanted: dict[str, Any], smallest_component_mm3: float) -> list[Trial]:
    """Trials in order of preference; `wanted` is the section `postprocess` of the config."""
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
    """Dice of each class with each trial; NaN if neither the reference nor the segmentation has a voxel of the class.

    `classes` is `low_threshold` of `native_grid.Maps`, `probability` the probability of these classes in 255ths;
    `lungs` is the lung field if it is plausible, else None.
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
    """Volumes cropped to the surroundings of all targets and found voxels, since most of a scan is empty."""
    box = bounding_box((classes.voxels_zyx > 0) | (reference.voxels_zyx > 0))
    if box is None:
        return classes, probability, reference, lungs
    box = grow_box(box, REACH_MM, classes.grid)  # postprocessing measures distances to the lungs up to `REACH_MM`
    lungs = lungs.cropped(box) if lungs else None
    return classes.cropped(box), probability.cropped(box), reference.cropped(box), lungs


def choose(rows: Iterable[Mapping[str, Any]], tried: list[Trial]) -> tuple[Trial, list[float]]:
    """Trial with the best mean Dice, and the mean Dice of each trial; `rows` are the `scores` of all cases.

    An earlier trial that is at most `GAIN` worse than the best one is preferred. If no case has a target, Dice has no
    meaning and the first trial is chosen.
    """
    found: dict[Trial, list[float]] = {trial: [] for trial in tried}
    for row in rows:
        found[Trial(row["threshold"], row["min_volume_mm3"], row["keep_largest"])].append(row["dice"])
    means = [mean_dice(values) for values in found.values()]
    # If no case has a target, Dice is 0 with false positives and undefined without them, so a 0 must not win.
    best = max((value for value in means if value > 0), default=math.nan)
    first = next((place for place, value in enumerate(means) if value >= best - GAIN), 0)
    return tried[first], means


def postprocessing(wanted: dict[str, Any], region: str, chosen: Trial, dice: float | None, n_cases: int) -> Stored:
    """Threshold and postprocessing as {"value", "reason"}.

    `dice` is the mean Dice of the chosen trial: None without scores, NaN if no case has a Dice. `n_cases` is the number
    of cases with a Dice.
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
