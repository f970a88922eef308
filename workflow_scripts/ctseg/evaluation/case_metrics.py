"""Metrics of agreement between a segmentation and its reference, on the scan's own grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ctseg.digits import four_decimals
from ctseg.evaluation import lesion_detection
from ctseg.evaluation.lesion_detection import ratio
from ctseg.evaluation.surface_distances import surface_distances
from ctseg.files import Format
from ctseg.geometry.volume import Grid
from ctseg.masks.overlap import dice

# Order and format of the columns of the metrics table; those of surfaces and lesions follow.
COLUMNS: dict[str, Format] = {
    "dice": ".4f",
    "iou": ".4f",
    "precision": ".4f",
    "recall": ".4f",
    "reference_volume_cm3": four_decimals,
    "predicted_volume_cm3": four_decimals,
    "volume_error_cm3": four_decimals,
    "absolute_volume_error_cm3": four_decimals,
    "volume_error_percent": ".2f",
}


def columns(tolerances_mm: Sequence[float]) -> dict[str, Format]:
    """Names and formats of all numbers of `case_metrics`, in the order of the table."""
    surfaces: dict[str, Format] = {
        **{surface_dice_name(tolerance): ".4f" for tolerance in tolerances_mm},
        "hd95_mm": ".3f",
        "assd_mm": ".3f",
    }
    return COLUMNS | surfaces | lesion_detection.COLUMNS


def surface_dice_name(tolerance_mm: float) -> str:
    """Column name of the surface Dice at a tolerance in mm."""
    return f"surface_dice_{tolerance_mm:g}mm"


def case_metrics(
    reference: np.ndarray, prediction: np.ndarray, grid: Grid, tolerances_mm: Sequence[float], lesion_iou: float
) -> dict[str, Any]:
    """All metrics of two boolean masks [z, y, x] on `grid`: `overlap_metrics`, surface metrics, and `lesion_metrics`.

    Surface Dice is 0 if one mask is empty and NaN if both are. HD95 and ASSD are NaN if a mask is empty, because a
    surface is missing; `state` reports missed cases.
    """
    distances = surface_distances(reference, prediction, grid.spacing_zyx_mm)
    return {
        **overlap_metrics(reference, prediction, grid.voxel_volume_mm3),
        **{surface_dice_name(tolerance): distances.surface_dice(tolerance) for tolerance in tolerances_mm},
        "hd95_mm": distances.hausdorff_mm(95),
        "assd_mm": distances.mean_mm(),
        **lesion_detection.lesion_metrics(reference, prediction, lesion_iou),
    }


def overlap_metrics(reference: np.ndarray, prediction: np.ndarray, voxel_volume_mm3: float) -> dict[str, Any]:
    """Dice, IoU, precision and recall (fractions) and volumes (cm³) of two boolean masks of one shape.

    Undefined values are NaN, as Metrics Reloaded advises (Maier-Hein, Reinke et al., Nature Methods 2024): a score of 1
    for two empty masks would reward studies with many empty cases. `state` is one of:

    * `both`: both masks have voxels;
    * `missed`: only the reference has voxels; Dice, IoU and recall are 0, precision is NaN;
    * `false_alarm`: only the prediction has voxels; Dice, IoU and precision are 0, recall and the volume error in per
      cent are NaN;
    * `both_empty`: no mask has voxels; Dice, IoU, precision, recall and the volume error in per cent are NaN, the
      volume error is 0 cm³.

    Raises ValueError if the shapes differ.
    """
    if reference.shape != prediction.shape:
        raise ValueError(f"masks of different shape: {reference.shape} and {prediction.shape}")
    wanted, found = int(np.count_nonzero(reference)), int(np.count_nonzero(prediction))
    hits = int(np.count_nonzero(reference & prediction))
    cm3 = voxel_volume_mm3 / 1000
    error = (found - wanted) * cm3
    return {
        "state": _state(wanted, found),
        "dice": dice(hits, wanted, found),
        "iou": ratio(hits, wanted + found - hits),
        "precision": ratio(hits, found),
        "recall": ratio(hits, wanted),
        "reference_volume_cm3": wanted * cm3,
        "predicted_volume_cm3": found * cm3,
        "volume_error_cm3": error,
        "absolute_volume_error_cm3": abs(error),
        "volume_error_percent": 100 * ratio(found - wanted, wanted),
    }


def _state(wanted: int, found: int) -> str:
    """State of a case in one word, from the voxel counts of reference and prediction."""
    if wanted:
        return "both" if found else "missed"
    return "false_alarm" if found else "both_empty"
