"""Figures of the metrics: Dice, volumes, FROC, calibration, and the comparison of two studies."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ctseg.colours import ORANGE, SERIES
from ctseg.evaluation.intervals import further_value_interval
from ctseg.evaluation.summary import KEYS
from ctseg.report.figure_style import MARKERS, save_figure, say_nothing_to_show

VOLUMES = ["reference_volume_cm3", "predicted_volume_cm3"]


def _groups(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """Name, rows, colour and marker of each split and label."""
    for number, ((split, label), group) in enumerate(rows.groupby(KEYS, sort=True)):
        yield f"{split}, {label}", group, SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]


def plot_dice(cases: pd.DataFrame, path: str | Path) -> None:
    """Plot the Dice of each case by split and label, and against the volume of its label."""
    figure, (spread, size) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    names = []
    for position, (name, rows, colour, marker) in enumerate(_groups(cases)):
        values = np.sort(rows["dice"].dropna().to_numpy())
        # Points are spread sideways by rank, not at random: the same table gives the same picture.
        sideways = (np.arange(values.size) - (values.size - 1) / 2) * 0.3 / max(1, values.size)
        spread.plot(position + sideways, values, marker, color=colour, alpha=0.8)
        if values.size:
            spread.hlines(np.median(values), position - 0.3, position + 0.3, color="black", linewidth=2)
        there = rows[(rows["reference_volume_cm3"] > 0) & rows["dice"].notna()]
        size.plot(there["reference_volume_cm3"], there["dice"], marker, color=colour, alpha=0.8, label=name)
        names.append(name.replace(", ", "\n"))
    spread.set_xticks(range(len(names)), names)
    spread.set(ylabel="Dice", ylim=(-0.02, 1.02), title="Dice per case (bar: median)")
    size.set(xlabel="volume of the label (cm³)", ylabel="Dice", ylim=(-0.02, 1.02), title="Dice and size")
    if (cases.loc[cases["dice"].notna(), "reference_volume_cm3"] > 0).any():
        size.set_xscale("log")
        size.legend()
    else:
        say_nothing_to_show(size, "no case with the target has a Dice")
    save_figure(figure, path)


def plot_volumes(cases: pd.DataFrame, path: str | Path) -> None:
    """Plot the volume of the segmentation against that of the label, and their difference against their mean.

    The second plot is Bland and Altman's (Lancet 1986), with the mean difference and the 95 % limits for the difference
    of a further case.
    """
    figure, (scatter, agreement) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, rows, colour, marker in _groups(cases):
        volumes = rows[VOLUMES]
        there = volumes[(volumes > 0).all(axis=1)]
        scatter.plot(*there.to_numpy().T, marker, color=colour, alpha=0.8, label=name)
        difference = volumes["predicted_volume_cm3"] - volumes["reference_volume_cm3"]
        agreement.plot(volumes.mean(axis=1), difference, marker, color=colour, alpha=0.8, label=name)
        for value, style in zip(further_value_interval(difference.to_numpy()), ("--", "-", "--"), strict=True):
            agreement.axhline(value, color=colour, linewidth=1, linestyle=style)
    _identity(scatter, cases[VOLUMES].to_numpy())
    scatter.set(xlabel="volume of the label (cm³)", ylabel="volume of the segmentation (cm³)", title="Volumes")
    agreement.set(
        xlabel="mean of both (cm³)",
        ylabel="segmentation − label (cm³)",
        title="Agreement (Bland–Altman: bias and 95 % limits)",
    )
    save_figure(figure, path)


def _identity(axis: Axes, volumes: np.ndarray) -> None:
    """Draw the line of equal volumes on logarithmic axes, if a case has two volumes above 0; `volumes` is (n, 2)."""
    shown = volumes[(volumes > 0).all(axis=1)]
    if not shown.size:
        say_nothing_to_show(axis, "no case has both a label and a segmentation")
        return
    ends = [shown.min() / 1.3, shown.max() * 1.3]
    axis.plot(ends, ends, color="black", linewidth=1)
    axis.set(xscale="log", yscale="log")
    axis.legend()


def plot_froc(curve: pd.DataFrame, path: str | Path) -> None:
    """Plot the sensitivity over all lesions against the false lesions per scan, over all thresholds (FROC)."""
    figure, axis = plt.subplots(figsize=(5.5, 4), layout="constrained")
    for name, rows, colour, marker in _groups(curve):
        axis.plot(rows["false_lesions_per_scan"], rows["sensitivity"], marker, ls="-", color=colour, label=name)
    axis.set(xlabel="false lesions per scan", ylabel="sensitivity", ylim=(-0.02, 1.02), xlim=(0, None))
    axis.set_title("Lesions found, over all thresholds (FROC)")
    axis.legend()
    save_figure(figure, path)


def plot_calibration(curve: pd.DataFrame, path: str | Path) -> None:
    """Plot the share of target voxels against the mean probability of each bin; the line is perfect calibration."""
    figure, axis = plt.subplots(figsize=(5.5, 4), layout="constrained")
    axis.plot([0, 1], [0, 1], color="black", linewidth=1)
    for name, rows, colour, marker in _groups(curve[curve["voxels"] > 0]):
        axis.plot(rows["probability"], rows["frequency"], marker, ls="-", color=colour, label=name)
    axis.set(xlabel="probability of the network", ylabel="share of voxels of the target", xlim=(0, 1), ylim=(0, 1))
    axis.set_title("Calibration near the target")
    axis.legend()
    save_figure(figure, path)


def plot_comparison(comparison: pd.DataFrame, pairs: pd.DataFrame, names: tuple[str, str], path: str | Path) -> None:
    """Plot the Dice of each case in two studies, and the mean difference of each share with its interval.

    `comparison` and `pairs` are the results of `study_comparison.compare`; `names` are (other study, own study).
    """
    figure, (scatter, forest) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, rows, colour, marker in _groups(pairs[pairs["metric"] == "dice"]):
        scatter.plot(rows["theirs"], rows["ours"], marker, color=colour, alpha=0.8, label=name)
    scatter.plot([0, 1], [0, 1], color="black", linewidth=1)
    scatter.set(xlabel=f"Dice, {names[0]}", ylabel=f"Dice, {names[1]}", xlim=(0, 1), ylim=(0, 1), title="Each case")
    scatter.legend()
    shares = comparison[comparison["unit"] == "share"].iloc[::-1]
    place = np.arange(len(shares))
    reach = np.abs(shares[["difference_low", "difference_high"]].sub(shares["difference"], axis=0)).to_numpy().T
    forest.errorbar(shares["difference"], place, xerr=np.nan_to_num(reach), fmt="o", color=SERIES[0])
    forest.axvline(0, color=ORANGE)
    forest.set_yticks(place, [f"{row.metric} ({row.split}, {row.label})" for row in shares.itertuples()], fontsize=8)
    forest.set(xlabel=f"{names[1]} − {names[0]}", title="Mean difference with its 95 % interval")
    save_figure(figure, path)
