"""The view that slices show: axial, coronal, sagittal or oblique."""

import numpy as np
from numpy.typing import ArrayLike

COSINE = 0.8  # a gantry tilts by up to 30°, whose cosine is 0.87; planes at 45° are oblique
COARSER = 1.2  # least ratio of the largest voxel spacing to the next, for the axis across the slices


def view_of(normal_xyz: np.ndarray) -> str:
    """`axial`, `coronal`, `sagittal` or `oblique`, from a unit normal (LPS) of the slices; a tilted gantry is axial."""
    axis = int(np.argmax(np.abs(normal_xyz)))
    return ("sagittal", "coronal", "axial")[axis] if abs(normal_xyz[axis]) > COSINE else "oblique"


def view_by_spacing(direction: ArrayLike, spacing_xyz_mm: ArrayLike) -> str | None:
    """The view of slices across the coarsest axis; None if no axis is clearly coarser, or the slices are oblique.

    Columns of the 3 × 3 `direction` are the axes (LPS). Files other than DICOM may store the axes in any order and
    turned.
    """
    spacing_mm = np.asarray(spacing_xyz_mm)
    *_, second, coarsest = np.argsort(spacing_mm)
    if spacing_mm[coarsest] < COARSER * spacing_mm[second]:
        return None
    view = view_of(np.asarray(direction)[:, coarsest])
    return None if view == "oblique" else view
