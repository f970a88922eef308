"""FROC analysis: numbers of found and false lesions at falling thresholds of the probability."""

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
    """A component that the network found: class, score (see `scored_components`), and whether it matches a lesion."""

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

    `reference` and `low_threshold` are label maps, `probability` is the probability of the class in 255ths, and `lungs`
    is the lung field if it is plausible. Components are scored as in `scored_components`, and components with a lower
    score than the threshold are left out, so a higher threshold never finds more lesions or more false ones. At the
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
    """Components found at falling `levels` of probability; a component that holds an earlier one is left out.

    The voxels that reach a level are postprocessed like the study's segmentations. Components are matched, as in
    `match_lesions`, with the lesions that no earlier component matches. A score is the mean probability of a component,
    limited to the range from its level to the previous level. If only the largest component of a class is kept, only
    the first level with a component counts.
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
    """The array of component numbers without the components that hold a voxel of `taken`; they become 0."""
    held = np.unique(components[taken])
    return np.where(np.isin(components, held[held > 0]), 0, components)
