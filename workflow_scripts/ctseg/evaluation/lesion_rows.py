"""Rows of a case in the table of lesions: the lesions of the label, found or missed, and the false lesions."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from ctseg.digits import four_decimals
from ctseg.evaluation.lesion_detection import match_lesions
from ctseg.geometry.resample import bounding_box
from ctseg.geometry.volume import Volume
from ctseg.masks.components import label_components, measure_components

FOUND, MISSED, FALSE = "found", "missed", "false"
LESION_COLUMNS = dict.fromkeys(["case", "split", "fold", "label"], "") | {
    "lesion": "d",
    "state": "",
    "volume_cm3": four_decimals,
    "diameter_mm": ".2f",
    "x_mm": ".2f",
    "y_mm": ".2f",
    "z_mm": ".2f",
    "dice": ".4f",
}


def lesion_rows(
    label: Volume, segmentation: Volume, image: Volume, params: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """One row per lesion of each target: lesions of the label, then false ones, both by falling volume.

    All volumes have one grid: label maps (0 background, 1…n) and `image` in HU; `params` as in `case_rows.metric_rows`.
    Lesions are matched as in `lesion_detection.match_lesions`. Volume, longest diameter and centre (LPS) are measured
    on the lesion in the label, or on a false lesion in the segmentation. Dice is the Dice of a matched pair, 0 for a
    missed lesion, and None for a false one.
    """
    box = bounding_box((label.voxels_zyx > 0) | (segmentation.voxels_zyx > 0))
    if box is None:
        return
    label, segmentation, image = (volume.cropped(box) for volume in (label, segmentation, image))
    for value, name in enumerate(params["labels"], start=1):
        wanted, found = (label_components(volume.voxels_zyx == value) for volume in (label, segmentation))
        matching = match_lesions(wanted, found, params["lesion_iou"])
        dices = {row: dice for (row, _), dice in zip(matching.pairs, matching.dices, strict=True)}
        matched = {column for _, column in matching.pairs}
        rows = [
            {"state": FOUND if place in dices else MISSED, "dice": dices.get(place, 0.0)} | measured
            for place, measured in enumerate(_measured(wanted, image))
        ]
        false = [
            {"state": FALSE, "dice": None} | measured
            for place, measured in enumerate(_measured(found, image))
            if place not in matched
        ]
        for number, row in enumerate([*_largest_first(rows), *_largest_first(false)], start=1):
            where = {key: params[key] for key in ("case", "split", "fold")}
            yield {**where, "label": name, "lesion": number, **row}


def _measured(numbers_zyx: np.ndarray, image: Volume) -> Iterator[dict[str, float]]:
    """Volume, longest diameter and centre of each component; `numbers_zyx` holds component numbers from 1, or 0."""
    for number, box in enumerate(find_objects(numbers_zyx), start=1):
        part = image.cropped(box)
        (found,) = measure_components(part.with_voxels((numbers_zyx[box] == number).astype(np.uint8)), part)
        centre = {f"{axis}_mm": found[f"centroid_{axis}_mm"] for axis in "xyz"}
        yield {"volume_cm3": found["volume_cm3"], "diameter_mm": found["longest_diameter_mm"], **centre}


def _largest_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by falling volume, and rows of equal volume by z, y and x."""
    return sorted(rows, key=lambda row: (-row["volume_cm3"], row["z_mm"], row["y_mm"], row["x_mm"]))
