"""How a corrected label differs from the one that it replaces."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.overlap import dice_of_masks


def as_segmented(settings: LabelSettings) -> LabelSettings:
    """The settings to read a correction with: its values are those of a segmentation, where the n-th label is n."""
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
    """The mask to compare a correction with, and which it is: "segmentation", "label", or "" where there is none.

    `edited` is the segmentation that was corrected, `drawn` the label of before; the others are those of `read_label`.
    Raises InputError for a mask that cannot be read.
    """
    if edited:
        found = replace(as_segmented(settings), missing_ok=True)  # a model may have found nothing
        return read_label(edited, found, grid, image_name, series_uid), "segmentation"
    if drawn:
        return read_label(drawn, settings, grid, image_name, series_uid, relation), "label"
    return None, ""


def correction_facts(
    after: Volume, before: Volume | None, labels: Sequence[str], who: Mapping[str, str]
) -> dict[str, Any]:
    """Who corrected a label, and for each label what came and went, in cm³, with the Dice of before and after.

    `who` has `by`, `comment`, and `compared_with`: "label", "segmentation", or "" where nothing is compared. Both
    volumes hold classes 1…n on the scan's grid; without one `before` nothing is compared.
    """
    facts: dict[str, Any] = dict(who)
    if before is None:
        return facts | {"labels": {}}
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
    return facts | {"labels": changes}
