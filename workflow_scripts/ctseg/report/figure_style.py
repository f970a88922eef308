"""Common style of all figures, and functions that write them."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctseg.files import atomic_path

MARKERS = ("o", "s", "^", "D", "v", "P")

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "ctseg",  # fixed names inside the file, so that the same figure has the same bytes
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a PNG or SVG by its suffix, atomically; the same data give the same bytes."""
    unwanted = {"Date": None} if str(path).endswith(".svg") else {"Software": None}
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110, bbox_inches="tight", facecolor=figure.get_facecolor(), metadata=unwanted)
    plt.close(figure)


def say_nothing_to_show(axis: Axes, text: str) -> None:
    """Write the reason why a plot is empty into its middle."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color="#666666")
