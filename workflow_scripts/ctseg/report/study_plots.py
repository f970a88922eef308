"""Figures of the scans and of training."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ctseg.colours import SERIES
from ctseg.report.figure_style import save_figure

# Columns of the cohort's table that are drawn, with their axis labels.
COHORT = {
    "slice_spacing_mm": "slice spacing (mm)",
    "pixel_spacing_mm": "pixel spacing (mm)",
    "length_mm": "length of the scan (mm)",
}


def plot_training(histories: dict[str, pd.DataFrame], path: str | Path) -> None:
    """Plot loss, Dice and learning rate over the steps, one line per network; a dot marks the kept weights.

    Dashed lines are the Dice of training cases; a growing distance to the validation Dice shows overfitting.
    """
    figure, (loss, dice, rate) = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for network, history in histories.items():
        loss.plot(history["step"], history["loss"], label=f"network {network}")
        (line,) = dice.plot(history["step"], history["validation_dice"], label=f"network {network}")
        dice.plot(history["step"], history["training_dice"], "--", linewidth=1, color=line.get_color())
        kept = history[history["best"]].tail(1)
        dice.plot(kept["step"], kept["validation_dice"], "o", color=line.get_color())
        rate.plot(history["step"], history["learning_rate"])
    loss.set(xlabel="step", ylabel="training loss", title="Loss")
    dice.set(xlabel="step", ylabel="mean Dice", title="Validation Dice (dot: kept; dashed: training)", ylim=(0, 1))
    rate.set(xlabel="step", ylabel="learning rate", title="Learning rate", ylim=(0, None))
    if len(histories) > 1:
        dice.legend(fontsize="small")
    save_figure(figure, path)


def plot_cohort(cohort: pd.DataFrame, path: str | Path) -> None:
    """Plot histograms of voxel sizes and lengths of the scans, by split."""
    figure, axes = plt.subplots(1, len(COHORT), figsize=(12, 3), layout="constrained")
    splits = sorted(cohort["split"].unique())
    for axis, (column, name) in zip(axes, COHORT.items(), strict=True):
        values = [cohort.loc[cohort["split"] == split, column] for split in splits]
        edges = np.histogram_bin_edges(cohort[column], bins=min(20, max(5, len(cohort) // 3)))
        axis.hist(values, bins=edges, stacked=True, label=splits, color=SERIES[: len(splits)])
        axis.set(xlabel=name, ylabel="scans")
    axes[0].legend()
    save_figure(figure, path)
