"""How many lesions are found at the price of how many false ones, the most probable ones first (FROC)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ctseg.evaluation.lesion_detection import match_lesions
from ctseg.geometry.volume import Volume
from ctseg.masks.components import label_components
from ctseg.masks.postprocessing import PostprocessSettings, postprocess
from ctseg.tuning.thresholds import around_targets

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
COUNTS = ("reference_lesions", "found_lesions", "false_lesions")


@dataclass(frozen=True)
class Scored:
    """A component that the network found: its class, its mean probability, and whether it matches a lesion."""

    label: int
    score: float
    matches: bool


def lesion_counts(
    reference: Volume,
    low_threshold: Volume,
    probability: Volume,
    settings: PostprocessSettings,
    threshold: float,
    lungs: Volume | None,
    smallest_iou: float,
    n_classes: int,
) -> Iterator[dict[str, Any]]:
    """Class, threshold and the counts of `COUNTS` at each of `THRESHOLDS` and at the study's own `threshold`.

    Reference and `low_threshold` are label maps, `probability` is the probability of the class in 255ths, and `lungs`
    is the lung field where there is a plausible one. Components are scored as in `scored_components`, and those with a
    lower score than the threshold are left out: a higher threshold never finds more, nor makes more false ones. At the
    study's own threshold the counts are those of its segmentations.
    """
    volumes = around_targets(low_threshold, probability, reference, lungs)
    levels = sorted({threshold, *(level for level in THRESHOLDS if level < threshold)}, reverse=True)
    scored = scored_components(*volumes, settings, levels, smallest_iou, n_classes)
    for value in range(1, n_classes + 1):
        of_class = [component for component in scored if component.label == value]
        lesions = int(label_components(volumes[2].voxels_zyx == value).max(initial=0))
        for level in sorted({threshold, *THRESHOLDS}):
            matches = [component.matches for component in of_class if component.score >= level]
            counts = (lesions, sum(matches), len(matches) - sum(matches))
            yield {"label": value, "threshold": level, **dict(zip(COUNTS, counts, strict=True))}


def scored_components(
    low_threshold: Volume,
    probability: Volume,
    reference: Volume,
    lungs: Volume | None,
    settings: PostprocessSettings,
    levels: Sequence[float],
    smallest_iou: float,
    n_classes: int,
) -> list[Scored]:
    """What is found at falling `levels` of probability: at each of them the components that hold no earlier one.

    What reaches a level is postprocessed as the study's segmentations are; components match the lesions that are left
    as in `match_lesions`. A score is a mean probability, between the component's level and the one before. Where a
    class keeps its largest component alone, only the first level with one counts.
    """
    taken, found = np.zeros(reference.grid.shape_zyx, np.uint8), []
    lesions = {value: label_components(reference.voxels_zyx == value) for value in range(1, n_classes + 1)}
    for before, level in pairwise([np.inf, *levels]):
        reached = low_threshold.voxels_zyx * (probability.voxels_zyx >= level * 255)
        left, _ = postprocess(low_threshold.with_voxels(reached), settings, lungs, lungs is not None)
        for value, free in lesions.items():
            if settings.keep_largest and (taken == value).any():
                continue
            new = _without(label_components(left.voxels_zyx == value), taken == value)
            matching = match_lesions(free, new, smallest_iou)
            matched = {column for _, column in matching.pairs}
            sums = np.bincount(new.ravel(), weights=probability.voxels_zyx.ravel())[1:]
            for number in np.flatnonzero(matching.predicted_voxels):
                mean = sums[number] / matching.predicted_voxels[number] / 255
                score = min(max(mean, level), np.nextafter(before, 0))
                found.append(Scored(value, float(score), number in matched))
            free[np.isin(free, [row + 1 for row, _ in matching.pairs])] = 0
            taken[new > 0] = value
    return found


def _without(components: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The numbered components that hold no taken voxel; the numbers of the others are left without a voxel."""
    held = np.unique(components[taken])
    return np.where(np.isin(components, held[held > 0]), 0, components)
