"""Dice of plain HU thresholds in the lung field: the baseline that a network must exceed."""

import numpy as np

from ctseg.geometry.resample import bounding_box
from ctseg.geometry.volume import Volume
from ctseg.masks.components import label_components, voxels_in, voxels_of_each
from ctseg.masks.overlap import dice


def threshold_baseline(
    image: Volume, reference_zyx: np.ndarray, lungs: Volume | None, thresholds_hu: list[float], min_volume_mm3: float
) -> dict[float, float]:
    """Dice of all voxels above each HU threshold in the lung field, without too small components.

    `image` holds HU [z, y, x], `reference_zyx` is a boolean mask on its grid, and `lungs` is a mask on this grid, or
    None for the whole scan. Reference voxels outside the lung field count as missed. Returns {threshold in HU: Dice};
    the Dice is NaN if both masks are empty.
    """
    inside = np.ones(image.grid.shape_zyx, bool) if lungs is None else lungs.voxels_zyx > 0
    box = bounding_box(inside) or (slice(0, 1), slice(0, 1), slice(0, 1))  # any box serves for an empty lung field
    hu, inside, reference = image.voxels_zyx[box], inside[box], reference_zyx[box]
    smallest_voxels = voxels_in(min_volume_mm3, image.grid)
    wanted = np.count_nonzero(reference_zyx)
    found_dice = {}
    for threshold_hu in thresholds_hu:
        components = label_components(inside & (hu > threshold_hu))
        keep = voxels_of_each(components) >= smallest_voxels
        keep[0] = False
        found = keep[components]
        shared = np.count_nonzero(found & reference)
        found_dice[threshold_hu] = dice(shared, wanted, np.count_nonzero(found))
    return found_dice
