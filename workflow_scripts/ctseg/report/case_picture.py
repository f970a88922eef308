"""Picture of a case: three slices through the target and a projection, with label and segmentation."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ctseg.colours import ORANGE, SKY
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.masks.focus import focus_zyx
from ctseg.report.figure_style import save_figure

REFERENCE, PREDICTION, LUNGS = SKY, ORANGE, "#999999"
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}  # array axis (z, y, x) perpendicular to the plane
# Letters at the left, right, top and bottom of each plane, for an image with axes x, y, z to left, back and head.
SIDES = {"axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}


def draw_case(
    path: str | Path,
    title: str,
    image: Volume,
    segmentation: Volume,
    reference: Volume | None,
    lungs: Volume | None,
    window_hu: tuple[float, float],
) -> None:
    """Write a PNG with an axial, a coronal and a sagittal slice and a projection, with proportions in mm.

    All volumes have one grid; the slices pass through `focus_zyx`. Axial slices are seen from the feet, as in
    radiology: the patient's right is on the left. The projection shows the brightest voxels seen from the front, inside
    the lung field if it is given and not empty, and the outlines of all targets.
    """
    volumes = [None if volume is None else orient(volume) for volume in (image, segmentation, reference, lungs)]
    shown, found, wanted, field = volumes
    assert shown is not None and found is not None
    mask = None if wanted is None else wanted.voxels_zyx > 0
    focus = focus_zyx(mask, found.voxels_zyx > 0)
    outlines = [
        (volume.voxels_zyx, colour, width)
        for volume, colour, width in ((field, LUNGS, 0.5), (wanted, REFERENCE, 1.4), (found, PREDICTION, 1.0))
        if volume is not None
    ]
    figure, axes = plt.subplots(2, 2, figsize=(9, 8.6), facecolor="black", layout="constrained")
    for axis, (plane, normal) in zip(axes.flat, PLANES.items(), strict=False):
        draw_plane(axis, np.take(shown.voxels_zyx, focus[normal], axis=normal), plane, shown.grid, window_hu)
        for voxels, colour, width in outlines:
            draw_outline(axis, np.take(voxels, focus[normal], axis=normal) > 0, colour, width)
    front = PLANES["coronal"]
    draw_plane(axes[1, 1], _brightest(shown, field).max(axis=front), "coronal", shown.grid, window_hu)
    axes[1, 1].set_title("brightest voxels, from the front", color="white", fontsize=10)
    for voxels, colour, width in outlines:
        draw_outline(axes[1, 1], np.max(voxels > 0, axis=front), colour, width)
    entries = [("segmentation", PREDICTION)]
    entries += [("label", REFERENCE)] if wanted is not None else []
    entries += [("lung field", LUNGS)] if field is not None else []
    figure.legend(
        handles=[Line2D([], [], color=colour, label=name) for name, colour in entries],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        labelcolor="white",
    )
    figure.suptitle(title, color="white")
    save_figure(figure, path)


def _brightest(image: Volume, field: Volume | None) -> np.ndarray:
    """HU [z, y, x] to project, air outside the lung field: ribs and spine would hide the lungs."""
    if field is None or not field.voxels_zyx.any():
        return image.voxels_zyx
    return np.where(field.voxels_zyx > 0, image.voxels_zyx, AIR_HU)


def draw_outline(axis: Axes, mask: np.ndarray, colour: str, width: float) -> None:
    """Draw the outline of a mask [row, column], closed at the border of the scan, also for a scan of one slice."""
    if mask.any():
        rows, columns = (np.arange(-1, size + 1) for size in mask.shape)
        axis.contour(columns, rows, np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=width)


def draw_plane(axis: Axes, picture: np.ndarray, plane: str, grid: Grid, window_hu: tuple[float, float]) -> None:
    """Draw a picture [row, column] in HU in one of `PLANES`, with letters at its sides."""
    rows_mm, columns_mm = np.delete(np.asarray(grid.spacing_zyx_mm), PLANES[plane])
    # Rows of coronal and sagittal slices run to the head, so they are drawn from below.
    axis.imshow(
        picture,
        cmap="gray",
        vmin=window_hu[0],
        vmax=window_hu[1],
        aspect=rows_mm / columns_mm,
        origin="upper" if plane == "axial" else "lower",
        interpolation="bilinear",
    )
    axis.autoscale(False)  # an outline at the border must not widen the picture
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.97), (0.5, 0.03))
    for side, (x, y) in zip(SIDES[plane], places, strict=True):
        axis.text(x, y, side, transform=axis.transAxes, color="white", ha="center", va="center", fontsize=9)
    axis.set_title(plane, color="white", fontsize=10)
    axis.set_axis_off()
