"""What a training case looks like, in a few numbers: the facts that a plan is made from."""

from typing import Any

import numpy as np

from ctseg.components import label_components
from ctseg.preparation import region_box
from ctseg.resample import orient
from ctseg.volume import Volume

PERCENTILES = (0.5, 50.0, 99.5)


def fingerprint(image: Volume, label: Volume, lungs: Volume | None, n_classes: int) -> dict[str, Any]:
    """Spacing and region size in mm (x to the left, y to the back, z to the head), foreground HU and components.

    `image` holds HU, `label` classes 1…n on the same grid. Foreground percentiles are None where there is none.
    """
    oriented = orient(image).grid
    region = orient(image.cropped(region_box(image, lungs, margin_mm=0))).grid
    foreground_hu = image.voxels_zyx[label.voxels_zyx > 0]
    return {
        "spacing_xyz_mm": [round(value, 6) for value in oriented.spacing_xyz_mm],
        "region_xyz_mm": [
            round(size * spacing, 3)
            for size, spacing in zip(region.shape_zyx[::-1], region.spacing_xyz_mm, strict=True)
        ],
        "foreground_hu_percentiles": [float(value) for value in np.percentile(foreground_hu, PERCENTILES)]
        if foreground_hu.size
        else None,
        "classes": [_class_facts(label, value) for value in range(1, n_classes + 1)],
    }


def _class_facts(label: Volume, value: int) -> dict[str, Any]:
    """Volume and component volumes of one class."""
    sizes = np.bincount(label_components(label.voxels_zyx == value).ravel())[1:] * label.grid.voxel_volume_mm3
    return {
        "volume_mm3": round(float(sizes.sum()), 3),
        "component_volumes_mm3": [round(float(size), 3) for size in np.sort(sizes)],
    }
