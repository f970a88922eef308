"""What a threshold alone would reach: the bar that a network has to clear."""

import numpy as np

from ctseg.geometry.resample import bounding_box
from ctseg.geometry.volume import Volume
from ctseg.masks.components import label_components, voxels_in
from ctseg.masks.overlap import dice


def threshold_baseline(
    image: Volume, reference_zyx: np.ndarray, lungs: Volume | None, thresholds_hu: list[float], min_volume_mm3: float
) -> dict[float, float]:
    """Dice of taking everything denser than each threshold in the lung field, without components that are too small.

    `image` holds HU, `reference_zyx` is a boolean mask on its grid and `lungs` a mask, or None for the whole scan.
    Returns Dice by threshold in HU; NaN where both masks are empty.
    """
    inside = np.ones(image.grid.shape_zyx, bool) if lungs is None else lungs.voxels_zyx > 0
    box = bounding_box(inside) or (slice(0, 1), slice(0, 1), slice(0, 1))  # any box will do where nothing is inside
    hu, inside, reference = image.voxels_zyx[box], inside[box], reference_zyx[box]
    smallest_voxels = voxels_in(min_volume_mm3, image.grid)
    wanted = np.count_nonzero(reference_zyx)
    found_dice = {}
    for threshold_hu in thresholds_hu:
        components = label_components(inside & (hu > threshold_hu))
        keep = np.bincount(components.ravel(), minlength=1) >= smallest_voxels
        keep[0] = False
        found = keep[components]
        shared = np.count_nonzero(found & reference)
        found_dice[threshold_hu] = dice(shared, wanted, np.count_nonzero(found))
    return found_dice
