"""Rows of a case in the tables of FROC counts and of calibration."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctseg.evaluation.calibration import BINS, SUMS, reliability
from ctseg.evaluation.froc import COUNTS, lesion_counts
from ctseg.geometry.volume import Volume
from ctseg.masks.postprocessing import PostprocessSettings

WHERE = dict.fromkeys(["case", "split", "fold", "label"], "")  # columns that identify a row
FROC_COLUMNS = WHERE | {"threshold": "g"} | dict.fromkeys(COUNTS, "d")
RELIABILITY_COLUMNS = WHERE | {"bin": ""} | SUMS


def froc_rows(
    label: Volume,
    low_threshold: Volume,
    probability: Volume,
    settings: PostprocessSettings,
    threshold: float,
    lungs: Volume | None,
    params: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """One row per threshold and target; volumes and the study's own `threshold` as in `froc.lesion_counts`.

    `params` has `case`, `split`, `fold`, the names of the `labels` in the order of their values, and `lesion_iou`, the
    smallest IoU of a found lesion.
    """
    names = params["labels"]
    iou = params["lesion_iou"]
    for row in lesion_counts(label, low_threshold, probability, settings, threshold, lungs, iou, len(names)):
        yield {**row, **_place(params), "label": names[row["label"] - 1]}


def reliability_rows(
    label: Volume, low_threshold: Volume, probability: Volume, params: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """One row per target and bin of probability, named by the bin's lower end; `params` as in `froc_rows`."""
    for value, name in enumerate(params["labels"], start=1):
        reference, found = (volume.voxels_zyx == value for volume in (label, low_threshold))
        for number, sums in enumerate(reliability(reference, found, probability.voxels_zyx, label.grid)):
            counted = dict(zip(SUMS, sums, strict=True))
            yield {**_place(params), "label": name, "bin": f"{number / BINS:g}", **counted}


def _place(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("case", "split", "fold")}
