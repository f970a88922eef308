"""Comparison of a corrected label with the label or segmentation before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.overlap import dice_of_masks


def as_segmented(settings: LabelSettings) -> LabelSettings:
    """The settings for reading a correction, which has the values of a segmentation: n for the n-th label."""
    return replace(settings, labels={label: number for number, label in enumerate(settings.labels, start=1)})


def mask_of_before(
    edited: str | None,
    drawn: str | None,
    settings: LabelSettings,
    grid: Grid,
    image_name: str,
    series_uid: str | None,
    relation: Mapping[str, Any] | None = None,
) -> tuple[Volume | None, str]:
    """The label map to compare a correction with, and its kind: "segmentation", "label", or "" if there is none.

    `edited` is the path of the corrected segmentation, `drawn` of the previous label; the first one given is read. The
    other arguments are those of `read_label`. Raises InputError if the file cannot be read.
    """
    if edited:
        found = replace(as_segmented(settings), missing_ok=True)  # a model may find no target
        return read_label(edited, found, grid, image_name, series_uid), "segmentation"
    if drawn:
        return read_label(drawn, settings, grid, image_name, series_uid, relation), "label"
    return None, ""


def correction_facts(after: Volume, before: Volume | None, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each label the volume before, added and removed in cm³, and the Dice with before; empty without `before`.

    Both volumes hold classes 1…n on the scan's grid. The Dice is None if both are empty.
    """
    if before is None:
        return {}
    cm3 = after.grid.voxel_volume_mm3 / 1000
    changes = {}
    for value, label in enumerate(labels, start=1):
        now, then = after.voxels_zyx == value, before.voxels_zyx == value
        dice = dice_of_masks(now, then)
        changes[label] = {
            "before_cm3": round(np.count_nonzero(then) * cm3, 4),
            "added_cm3": round(np.count_nonzero(now & ~then) * cm3, 4),
            "removed_cm3": round(np.count_nonzero(then & ~now) * cm3, 4),
            "dice_with_before": None if np.isnan(dice) else round(dice, 4),
        }
    return changes
