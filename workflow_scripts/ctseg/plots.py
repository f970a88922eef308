"""Figures of training and of the metrics."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctseg.files import atomic_path

BLUE, ORANGE = "#0072B2", "#E69F00"


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a PNG, atomically and without the drawing program's name, so that the same data give the same bytes."""
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def plot_training(histories: dict[str, pd.DataFrame], path: str | Path) -> None:
    """Loss and validation Dice over the steps, a line per network; the step whose weights were kept is marked."""
    figure, (loss, dice) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for network, history in histories.items():
        loss.plot(history["step"], history["loss"], label=f"network {network}")
        (line,) = dice.plot(history["step"], history["validation_dice"], label=f"network {network}")
        kept = history[history["best"]].tail(1)
        dice.plot(kept["step"], kept["validation_dice"], "o", color=line.get_color())
    loss.set(xlabel="step", ylabel="training loss", title="Loss")
    dice.set(xlabel="step", ylabel="mean Dice", title="Validation Dice (dot: weights that were kept)", ylim=(0, 1))
    if len(histories) > 1:
        dice.legend(frameon=False)
    for axis in (loss, dice):
        axis.grid(alpha=0.3)
    save_figure(figure, path)


def plot_metrics(cases: pd.DataFrame, path: str | Path) -> None:
    """Dice of each case by split and label, and predicted against true volume on logarithmic axes."""
    figure, (dice, volume) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    groups = list(cases.groupby(["label", "split"], sort=True))
    for position, (_, rows) in enumerate(groups):
        values = rows["dice"].dropna().to_numpy()
        # Points are spread sideways by rank, not at random: the same table gives the same picture.
        spread = (np.arange(values.size) - (values.size - 1) / 2) * 0.3 / max(1, values.size)
        dice.plot(position + spread[np.argsort(values).argsort()], values, "o", color=BLUE, alpha=0.7)
        if values.size:
            dice.hlines(np.median(values), position - 0.3, position + 0.3, color=ORANGE, linewidth=2)
    dice.set_xticks(range(len(groups)), ["\n".join(map(str, key)) for key, _ in groups])
    dice.set(ylabel="Dice", ylim=(-0.02, 1.02), title="Dice per case (bar: median)")
    present = cases[(cases["reference_volume_cm3"] > 0) & (cases["predicted_volume_cm3"] > 0)]
    if len(present):
        volume.plot(present["reference_volume_cm3"], present["predicted_volume_cm3"], "o", color=BLUE, alpha=0.7)
        limits = present[["reference_volume_cm3", "predicted_volume_cm3"]].to_numpy()
        ends = [limits.min() / 1.3, limits.max() * 1.3]
        volume.plot(ends, ends, color=ORANGE, linewidth=1)
        volume.set(xscale="log", yscale="log")
    volume.set(xlabel="volume of the label (cm³)", ylabel="volume of the segmentation (cm³)", title="Volumes")
    for axis in (dice, volume):
        axis.grid(alpha=0.3)
    save_figure(figure, path)
