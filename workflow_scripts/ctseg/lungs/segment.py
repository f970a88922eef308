"""The lung field: the space inside the lungs' surface, with the vessels and nodules in it.

It is computed at a coarse voxel size, in tenths of a second, and resampled to the scan.
"""

import math
from typing import Any, NamedTuple

import cc3d
import numpy as np
from scipy import ndimage

from ctseg.geometry.resample import resample
from ctseg.geometry.volume import Volume
from ctseg.lungs.coarse import FULL, coarse_image, on_grid, with_ends
from ctseg.lungs.plausibility import PLAUSIBLE_MEAN_HU, SICK_MEAN_HU, check_lungs
from ctseg.lungs.threshold import threshold_lungs
from ctseg.masks.overlap import dice_of_masks

CUBE = np.ones((3, 3, 3), bool)
SURE = 0.7  # lowest probability for additions to the threshold's field, which is right in most scans


class LungField(NamedTuple):
    """A lung field (uint8, 1 inside) on the image's own grid, empty where no lung is found, and its facts.

    The facts are those of `check_lungs`. If the network was used, also `method`, the method of the field ("threshold",
    "network" or "both"), and `agreement`, the Dice of the fields of both methods, None if both are empty.
    """

    lungs: Volume
    facts: dict[str, Any]


def segment_lungs(image: Volume, method: str = "threshold") -> LungField:
    """The lung field of an image in HU, in any orientation.

    `method` is "threshold", "network", or "auto": the threshold's field with the diseased parts that the network adds,
    if the network's field and the joined field are plausible, else the threshold's field.
    """
    coarse = coarse_image(image)
    by_threshold = coarse.with_voxels(threshold_lungs(coarse).astype(np.uint8) * np.uint8(FULL))
    if method == "threshold":
        return _field(image, by_threshold, PLAUSIBLE_MEAN_HU)
    from ctseg.lungs.network import network_lungs

    by_network = network_lungs(coarse)
    air = resample(with_ends(by_threshold), by_network.grid, fill=0).voxels_zyx >= FULL // 2
    inside = by_network.voxels_zyx >= FULL // 2
    dice = dice_of_masks(air, inside)
    told = {"agreement": None if math.isnan(dice) else round(dice, 4)}
    used, share, mean_hu_range = "network", by_network, SICK_MEAN_HU
    if method == "auto":
        sure = by_network.voxels_zyx >= SURE * FULL
        used, share = "both", joined(by_threshold, by_network, sick_parts(sure, air) | air)
        if not (_is_plausible(resample(by_network, coarse.grid, fill=0), coarse) and _is_plausible(share, coarse)):
            used, share, mean_hu_range = "threshold", by_threshold, PLAUSIBLE_MEAN_HU
    lungs, facts = _field(image, share, mean_hu_range)
    return LungField(lungs, facts | {"method": used} | told)


def sick_parts(inside: np.ndarray, air: np.ndarray) -> np.ndarray:
    """Mask of the network's field `inside` without the threshold's field `air`, thin shells and separate parts.

    Both are boolean masks [z, y, x] on the network's grid. Along a healthy pleura the threshold is more exact than the
    network. If the threshold finds nothing, the result is the network's whole field.
    """
    if not air.any():
        return inside
    more = inside & ~air
    cores = ndimage.binary_erosion(more, CUBE)
    thick = ndimage.binary_dilation(cores, CUBE, iterations=2) & more
    parts = cc3d.connected_components(thick | air, connectivity=6)
    return thick & np.isin(parts, np.unique(parts[air]))


def joined(by_threshold: Volume, by_network: Volume, counted: np.ndarray) -> Volume:
    """The threshold's field, on the working grid, with the network's field in a mask `counted` on its own grid."""
    more = by_network.with_voxels(np.where(counted, by_network.voxels_zyx, np.uint8(0)))
    on_coarse = resample(with_ends(more), by_threshold.grid, fill=0).voxels_zyx
    return by_threshold.with_voxels(np.maximum(by_threshold.voxels_zyx, on_coarse))


def _is_plausible(share: Volume, coarse: Volume) -> bool:
    """Whether a field from the network, alone or joined, looks like lungs, on the working grid."""
    inside = share.with_voxels((share.voxels_zyx >= FULL // 2).astype(np.uint8))
    return bool(check_lungs(inside, coarse.with_voxels(coarse.voxels_zyx.astype(np.int16)), SICK_MEAN_HU)["plausible"])


def _field(image: Volume, share: Volume, mean_hu_range: tuple[float, float]) -> LungField:
    """The lung field on the image's grid, and its facts, from a coarse field."""
    lungs = image.with_voxels(on_grid(share, image.grid))
    return LungField(lungs, check_lungs(lungs, image, mean_hu_range))
