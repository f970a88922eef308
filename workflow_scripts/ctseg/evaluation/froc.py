"""How many lesions are found at the price of how many false ones, as the threshold moves (FROC)."""

from collections.abc import Iterator
from typing import Any

from ctseg.evaluation.lesion_detection import lesion_metrics
from ctseg.geometry.volume import Volume
from ctseg.masks.postprocessing import PostprocessSettings, postprocess
from ctseg.tuning.thresholds import around_targets

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
COUNTS = ("reference_lesions", "found_lesions", "false_lesions")


def lesion_counts(
    reference: Volume,
    low_threshold: Volume,
    probability: Volume,
    settings: PostprocessSettings,
    lungs: Volume | None,
    smallest_iou: float,
    n_classes: int,
) -> Iterator[dict[str, Any]]:
    """Class, threshold and the counts of `COUNTS` at each of `THRESHOLDS`.

    Reference and `low_threshold` are label maps, `probability` is the probability of the class in 255ths. What reaches
    a threshold is postprocessed as the study's segmentations are; lesions are matched as in `lesion_metrics`.
    `lungs` is the lung field where there is a plausible one.
    """
    low_threshold, probability, reference, lungs = around_targets(low_threshold, probability, reference, lungs)
    for threshold in THRESHOLDS:
        sure = low_threshold.voxels_zyx * (probability.voxels_zyx >= threshold * 255)
        found, _ = postprocess(low_threshold.with_voxels(sure), settings, lungs, lungs is not None)
        for value in range(1, n_classes + 1):
            counts = lesion_metrics(reference.voxels_zyx == value, found.voxels_zyx == value, smallest_iou)
            yield {"label": value, "threshold": threshold, **{name: counts[name] for name in COUNTS}}
