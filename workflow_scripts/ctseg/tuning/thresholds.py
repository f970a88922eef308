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
GAIN = 0.002  # of mean Dice, below which the first candidate is as good: less is chance
KEYS = ["threshold", "min_volume_mm3", "keep_largest"]


@dataclass(frozen=True)
class Candidate:
    """A threshold, and what is removed after it."""

    threshold: float
    min_volume_mm3: float
    keep_largest: bool


def candidates(wanted: dict[str, Any], smallest_component_mm3: float) -> list[Candidate]:
    """What to try, the most ordinary first; `wanted` is the section `postprocess` of the config."""
    sizes = sorted({round(share * smallest_component_mm3, 3) for share in SIZES})
    thresholds = THRESHOLDS if wanted["threshold"] == "auto" else [wanted["threshold"]]
    volumes = sizes if wanted["min_volume_mm3"] == "auto" else [wanted["min_volume_mm3"]]
    keep = [False, True] if wanted["keep_largest"] == "auto" else [wanted["keep_largest"]]
    return [Candidate(threshold, volume, largest) for largest, threshold, volume in product(keep, thresholds, volumes)]


def scores(
    classes: Volume,
    certainty: Volume,
    reference: Volume,
    tried: list[Candidate],
    n_classes: int,
    restrict: bool,
    region: Volume | None,
) -> Iterator[dict[str, Any]]:
    """Dice of each class with each candidate; NaN where neither the reference nor what is found has a voxel of it.

    `classes` are the candidates of `native_grid.Maps`, `certainty` their probability in 255ths; `region` is the lung
    field where there is a plausible one.
    """
    classes, certainty, reference, region = around_targets(classes, certainty, reference, region)
    for candidate in tried:
        sure = certainty.voxels_zyx >= candidate.threshold * 255
        settings = PostprocessSettings(candidate.min_volume_mm3, candidate.keep_largest, restrict)
        found, _ = postprocess(classes.with_voxels(classes.voxels_zyx * sure), settings, region, region is not None)
        for value, dice in enumerate(dice_of_classes(reference.voxels_zyx, found.voxels_zyx, n_classes), start=1):
            yield {
                "label": value,
                "threshold": candidate.threshold,
                "min_volume_mm3": candidate.min_volume_mm3,
                "keep_largest": candidate.keep_largest,
                "dice": dice,
            }


def around_targets(
    classes: Volume, certainty: Volume, reference: Volume, region: Volume | None
) -> tuple[Volume, Volume, Volume, Volume | None]:
    """The volumes without what lies far from every target: most of a scan is empty."""
    box = bounding_box((classes.voxels_zyx > 0) | (reference.voxels_zyx > 0))
    if box is None:
        return classes, certainty, reference, region
    box = grow_box(box, REACH_MM, classes.grid)  # what lies near enough to the lungs is judged by their distance
    region = region.cropped(box) if region else None
    return classes.cropped(box), certainty.cropped(box), reference.cropped(box), region


def choose(rows: Iterable[Mapping[str, Any]], tried: list[Candidate]) -> tuple[Candidate, list[float]]:
    """The candidate with the best mean Dice, and the mean Dice of each; `rows` are the `scores` of all cases.

    An earlier candidate that reaches the best one to within `GAIN` is taken instead. Where no case has a target Dice
    says nothing, and the first candidate is taken.
    """
    found: dict[Candidate, list[float]] = {candidate: [] for candidate in tried}
    for row in rows:
        found[Candidate(row["threshold"], row["min_volume_mm3"], row["keep_largest"])].append(row["dice"])
    means = [mean_dice(values) for values in found.values()]
    # Where no case has a target the Dice is 0 with false alarms, and not defined without: the former is not better.
    best = max((value for value in means if value > 0), default=math.nan)
    first = next((place for place, value in enumerate(means) if value >= best - GAIN), 0)
    return tried[first], means


def cleaning(wanted: dict[str, Any], region: str, chosen: Candidate, dice: float | None, n_cases: int) -> Stored:
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
