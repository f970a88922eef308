"""Metrics of a case, by their columns in the tables, with description, references, unit and bounds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ctseg.catalogue.entry import Entry

SHARE, COUNT = "share", ""  # units of metrics, in addition to mm, cm³ and %


@dataclass(frozen=True)
class Metric(Entry):
    """A metric; `description` is used in the methods text.

    `unit` is "share" for numbers between 0 and 1, and empty for counts; `title` is the title on the front page of the
    report, empty if the metric is not shown there; `family` groups the metrics in the methods text; `signed` is true if
    the metric may be negative.
    """

    unit: str = SHARE
    family: str = "overlap"
    title: str = ""
    signed: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest possible value."""
        return (-math.inf if self.signed else 0.0), (1.0 if self.unit == SHARE else math.inf)


# The surface Dice has one column per tolerance, named `surface_dice_…`.
METRICS = {
    "dice": Metric("Dice", title="Dice"),
    "iou": Metric("intersection over union"),
    "precision": Metric("precision"),
    "recall": Metric("recall"),
    "reference_volume_cm3": Metric("volume", unit="cm³"),
    "predicted_volume_cm3": Metric("volume", unit="cm³"),
    "volume_error_cm3": Metric("volume error", unit="cm³", signed=True),
    "absolute_volume_error_cm3": Metric("volume error", unit="cm³", title="Volume error"),
    "volume_error_percent": Metric("volume error", unit="%", signed=True),
    "surface_dice": Metric("surface Dice", ("Nikolov 2021",), family="surface", title="Surface Dice"),
    "hd95_mm": Metric("HD95", ("Nikolov 2021",), unit="mm", family="surface", title="HD95"),
    "assd_mm": Metric("mean surface distance", ("Nikolov 2021",), unit="mm", family="surface"),
    "reference_lesions": Metric("their number in the label", unit=COUNT, family="lesions"),
    "predicted_lesions": Metric("in the segmentation", unit=COUNT, family="lesions"),
    "found_lesions": Metric("of found ones", unit=COUNT, family="lesions"),
    "false_lesions": Metric("of false ones", unit=COUNT, family="lesions", title="False lesions per scan"),
    "lesion_sensitivity": Metric("sensitivity", family="lesions"),
    "lesion_precision": Metric("precision", family="lesions"),
    "lesion_f1": Metric("F1", family="lesions"),
    "lesion_dice": Metric("mean Dice", family="lesions"),
    "panoptic_quality": Metric("panoptic quality", ("Kirillov 2019",), family="lesions"),
    "brier": Metric("Brier score", family="calibration"),
    "ece": Metric("expected calibration error", ("Guo 2017",), family="calibration"),
    "stability_dice": Metric("lowest Dice", family="stability"),
    "stability_volume_percent": Metric("range of the volume", unit="%", family="stability"),
}


def metric_of(column: str) -> Metric:
    """Metric of a column of the tables. Raises KeyError for an unknown column."""
    return METRICS["surface_dice" if column.startswith("surface_dice_") else column]


def of_family(family: str) -> Iterator[Metric]:
    """The metrics of a family, in the order of the table."""
    return (metric for metric in METRICS.values() if metric.family == family)
