"""Plots of metrics have the same bytes for the same numbers, also without any numbers."""

import pandas as pd
import pytest

from ctseg.report.metric_plots import plot_calibration, plot_dice, plot_froc, plot_volumes

NAN = float("nan")


def metrics(**columns):
    values = {"dice": [0.5, 0.8], "reference_volume_cm3": [1.0, 2.0], "predicted_volume_cm3": [1.5, 1.0]} | columns
    table = pd.DataFrame({"case": ["001", "b"], "split": "test", "label": "1", **values})
    return table.assign(volume_error_cm3=table["predicted_volume_cm3"] - table["reference_volume_cm3"])


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"dice": [NAN, NAN]},
        {"predicted_volume_cm3": [0.0, 0.0]},
        {"reference_volume_cm3": [0.0, 0.0], "dice": [0.0, NAN]},
    ],
    ids=["usual", "no dice", "all missed", "all empty"],
)
@pytest.mark.parametrize("plot", [plot_dice, plot_volumes])
def test_the_same_metrics_give_the_same_bytes(tmp_path, plot, columns):
    for name in ("a.svg", "b.svg"):
        plot(metrics(**columns), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_curves_over_thresholds_and_probabilities_are_drawn(tmp_path):
    keys = {"split": "test", "label": "nodule"}
    froc = pd.DataFrame({"false_lesions_per_scan": [3.0, 1.0], "sensitivity": [0.9, NAN], **keys})
    bins = pd.DataFrame({"voxels": [10, 0], "probability": [0.2, NAN], "frequency": [0.1, NAN], **keys})
    plot_froc(froc, tmp_path / "froc.svg")
    plot_calibration(bins, tmp_path / "calibration.svg")
    for name in ("froc", "calibration"):
        assert "<path" in (tmp_path / f"{name}.svg").read_text()
