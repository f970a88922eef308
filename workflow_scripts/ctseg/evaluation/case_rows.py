"""Rows of a case in the table of metrics and in the table of the threshold baseline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctseg.evaluation.case_metrics import case_metrics, columns
from ctseg.evaluation.threshold_baseline import threshold_baseline
from ctseg.files import Format
from ctseg.geometry.volume import Volume

WHERE = dict.fromkeys(["case", "split", "fold", "label"], "")  # columns that identify a row
BASELINE_COLUMNS = WHERE | {"threshold_hu": "g", "dice": ".4f"}


def metric_columns(tolerances_mm: Sequence[float]) -> dict[str, Format]:
    """Names and formats of the columns of the table of metrics."""
    return WHERE | {"state": ""} | columns(tolerances_mm)


def metric_rows(label: Volume, segmentation: Volume, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row of metrics per target, from two label maps on one grid.

    `params` has `case`, `split`, `fold`, the names of the `labels` in the order of their values, `tolerances_mm` of the
    surface Dice, and `lesion_iou`, the smallest IoU of a found lesion.
    """
    for value, name in enumerate(params["labels"], start=1):
        reference, found = (volume.voxels_zyx == value for volume in (label, segmentation))
        metrics = case_metrics(reference, found, label.grid, params["tolerances_mm"], params["lesion_iou"])
        yield {**_place(params), "label": name, **metrics}


def baseline_rows(
    image: Volume, label: Volume, lungs: Volume | None, params: Mapping[str, Any], min_volume_mm3: float
) -> Iterator[dict[str, Any]]:
    """One row per target and threshold of `params["baseline_thresholds_hu"]`; other `params` as in `metric_rows`.

    `image` holds HU. Voxels outside the mask `lungs` (None for the whole scan) and components below `min_volume_mm3`
    are left out.
    """
    for value, name in enumerate(params["labels"], start=1):
        reference = label.voxels_zyx == value
        found = threshold_baseline(image, reference, lungs, params["baseline_thresholds_hu"], min_volume_mm3)
        for threshold_hu, dice in found.items():
            yield {**_place(params), "label": name, "threshold_hu": threshold_hu, "dice": dice}


def _place(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("case", "split", "fold")}
