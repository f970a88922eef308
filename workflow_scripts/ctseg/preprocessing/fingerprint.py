"""Fingerprint of a training case: the few numbers from which the plan is made."""

from typing import Any

import nibabel as nib
import numpy as np

from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Volume
from ctseg.masks.components import label_components, voxels_of_each
from ctseg.preprocessing.preparation import region_box

PERCENTILES = (0, 0.5, 1, 2, 5, 10, 20, 35, 50, 65, 80, 90, 95, 98, 99, 99.5, 100)  # densest near the ends of windows
TO_LPS = (("R", "L"), ("A", "P"), ("I", "S"))  # letters of the negative and positive direction of each LPS axis


def fingerprint(image: Volume, label: Volume, lungs: Volume | None, n_classes: int) -> dict[str, Any]:
    """Spacing in mm, size in voxels, regions in mm, foreground HU, and components of each class.

    The axes are x to the left, y to the back, z to the head; `orientation` gives the directions of the scan's own axes
    x, y, z (LPS is left, back and head). `image` holds HU, `label` classes 1…n on the same grid; `lungs` is the lung
    field if it is wanted and plausible, else None. `foreground_hu` and `foreground_in_lungs`, the share of the
    foreground in the box around the lungs, are None without foreground.
    """
    oriented = orient(image).grid
    foreground = label.voxels_zyx > 0
    boxes = {"body": region_box(image, None, margin_mm=0)}
    boxes["lungs"] = boxes["body"] if lungs is None else region_box(image, lungs, margin_mm=0)
    in_lungs = None
    if foreground.any():
        in_lungs = 0.0 if lungs is None else np.count_nonzero(foreground[boxes["lungs"]]) / np.count_nonzero(foreground)
    return {
        "spacing_xyz_mm": [round(value, 6) for value in oriented.spacing_xyz_mm],
        "size_xyz": list(oriented.shape_zyx[::-1]),
        "orientation": "".join(nib.orientations.aff2axcodes(image.grid.affine, TO_LPS)),
        "region_xyz_mm": {name: _size_xyz_mm(image.cropped(box)) for name, box in boxes.items()},
        "foreground_in_lungs": in_lungs,
        "foreground_hu": _statistics(image.voxels_zyx[foreground]),
        "classes": [_class_facts(label, value) for value in range(1, n_classes + 1)],
    }


def _size_xyz_mm(part: Volume) -> list[float]:
    grid = orient(part).grid
    return [round(size * mm, 3) for size, mm in zip(grid.shape_zyx[::-1], grid.spacing_xyz_mm, strict=True)]


def _statistics(foreground_hu: np.ndarray) -> dict[str, Any] | None:
    """Percentiles, mean and standard deviation of the foreground HU [voxel]; None without foreground."""
    if not foreground_hu.size:
        return None
    return {
        "percentiles": dict(
            zip(map(str, PERCENTILES), np.percentile(foreground_hu, PERCENTILES).tolist(), strict=True)
        ),
        "mean": float(foreground_hu.mean(dtype=float)),
        "std": float(foreground_hu.std(dtype=float)),
    }


def _class_facts(label: Volume, value: int) -> dict[str, Any]:
    """Volume of one class, and of each of its components, in mm³."""
    sizes = voxels_of_each(label_components(label.voxels_zyx == value))[1:] * label.grid.voxel_volume_mm3
    return {
        "volume_mm3": round(float(sizes.sum()), 3),
        "component_volumes_mm3": [round(float(size), 3) for size in np.sort(sizes)],
    }
