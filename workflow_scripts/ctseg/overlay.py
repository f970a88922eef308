"""A picture of a case: three planes through the largest lesion, with label and segmentation as contours."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ctseg.files import atomic_path
from ctseg.resample import orient
from ctseg.volume import Volume

# Okabe and Ito's colours, which readers with a colour vision deficiency can tell apart.
REFERENCE, PREDICTION, LUNGS = "#56B4E9", "#E69F00", "#999999"
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}  # the array axis that a plane is perpendicular to
# What the left, right, top and bottom of each plane are, for an image whose axes run to left, back and head.
SIDES = {"axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}


def focus_zyx(reference: np.ndarray | None, prediction: np.ndarray) -> tuple[int, int, int]:
    """The voxel to show: the middle of the slice with most target, by label if there is one, else of the volume."""
    mask = reference if reference is not None and reference.any() else prediction
    if not mask.any():
        return tuple(size // 2 for size in prediction.shape)
    depth = int(mask.sum(axis=(1, 2)).argmax())
    rows, columns = np.nonzero(mask[depth])
    nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
    return depth, int(rows[nearest]), int(columns[nearest])


def draw_case(
    path: str | Path,
    title: str,
    image: Volume,
    segmentation: Volume,
    reference: Volume | None,
    lungs: Volume | None,
    window_hu: tuple[float, float],
) -> None:
    """Write a PNG with an axial, a coronal and a sagittal slice, true to the millimetre in its proportions.

    All volumes lie on one grid. Axial slices are seen from the feet, as radiologists do: the patient's right is left.
    """
    volumes = [None if volume is None else orient(volume) for volume in (image, segmentation, reference, lungs)]
    shown, found, wanted, field = volumes
    assert shown is not None and found is not None
    mask = None if wanted is None else wanted.voxels_zyx > 0
    focus = focus_zyx(mask, found.voxels_zyx > 0)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), facecolor="black")
    for axis, (plane, normal) in zip(axes, PLANES.items(), strict=True):
        _draw_plane(axis, shown, plane, focus, window_hu)
        for volume, colour, width in ((field, LUNGS, 0.5), (wanted, REFERENCE, 1.4), (found, PREDICTION, 1.0)):
            if volume is not None:
                _draw_outline(axis, np.take(volume.voxels_zyx, focus[normal], axis=normal) > 0, colour, width)
    entries = [("segmentation", PREDICTION)]
    entries += [("label", REFERENCE)] if wanted is not None else []
    entries += [("lung field", LUNGS)] if field is not None else []
    figure.legend(
        handles=[Line2D([], [], color=colour, label=name) for name, colour in entries],
        loc="lower center",
        ncols=3,
        frameon=False,
        labelcolor="white",
    )
    figure.suptitle(title, color="white")
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=100, facecolor="black", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _draw_outline(axis: Axes, mask: np.ndarray, colour: str, width: float) -> None:
    """The outline of a mask [row, column]; closed at the border of the scan, and there for a scan of one slice too."""
    if mask.any():
        rows, columns = (np.arange(-1, size + 1) for size in mask.shape)
        axis.contour(columns, rows, np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=width)


def _draw_plane(axis: Axes, image: Volume, plane: str, focus: tuple[int, int, int], window_hu: tuple) -> None:
    """One slice with its sides named."""
    normal = PLANES[plane]
    spacing = np.delete(np.asarray(image.grid.spacing_zyx_mm), normal)
    picture = np.take(image.voxels_zyx, focus[normal], axis=normal)
    # Rows of coronal and sagittal slices run to the head, so they are drawn from below.
    axis.imshow(
        picture,
        cmap="gray",
        vmin=window_hu[0],
        vmax=window_hu[1],
        aspect=spacing[0] / spacing[1],
        origin="upper" if plane == "axial" else "lower",
        interpolation="bilinear",
    )
    axis.autoscale(False)  # an outline at the border must not widen the picture
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.97), (0.5, 0.03))
    for side, (x, y) in zip(SIDES[plane], places, strict=True):
        axis.text(x, y, side, transform=axis.transAxes, color="white", ha="center", va="center", fontsize=9)
    axis.set_title(plane, color="white", fontsize=10)
    axis.set_axis_off()
