"""The lung field: the space inside the lungs' surface, with the vessels and nodules in it.

It is found at a coarse voxel size, where it takes tenths of a second, and brought back to the scan.
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
SURE = 0.7  # probability from which on the network adds to the threshold's field, which is right in most scans


class LungField(NamedTuple):
    """A lung field (uint8, 1 inside) on the image's own grid, empty where no lung is found, and its facts.

    The facts are those of `check_lungs`; with the network also `method`, what the field was found by, and `agreement`,
    the Dice of the fields of both methods, None where both are empty.
    """

    lungs: Volume
    facts: dict[str, Any]


def segment_lungs(image: Volume, method: str = "threshold") -> LungField:
    """The lung field of an image in HU, in any orientation.

    `method` is "threshold", "network", or "auto": the threshold's field with the sick parts that the network adds, if
    the network's field is plausible, else the threshold's.
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
    """What the network's field has more than the threshold's, without thin shells and parts that lie apart from it.

    Both are masks on the network's grid. Along a healthy pleura the threshold is the more exact one of the two. Where
    it finds nothing at all, the network's whole field counts.
    """
    if not air.any():
        return inside
    more = inside & ~air
    cores = ndimage.binary_erosion(more, CUBE)
    thick = ndimage.binary_dilation(cores, CUBE, iterations=2) & more
    parts = cc3d.connected_components(thick | air, connectivity=6)
    return thick & np.isin(parts, np.unique(parts[air]))


def joined(by_threshold: Volume, by_network: Volume, counted: np.ndarray) -> Volume:
    """The threshold's field, on the working grid, with those voxels of the network's that a mask on its grid counts."""
    more = by_network.with_voxels(np.where(counted, by_network.voxels_zyx, np.uint8(0)))
    on_coarse = resample(with_ends(more), by_threshold.grid, fill=0).voxels_zyx
    return by_threshold.with_voxels(np.maximum(by_threshold.voxels_zyx, on_coarse))


def _is_plausible(share: Volume, coarse: Volume) -> bool:
    """Whether a field that the network has a part in looks like lungs, on the working grid."""
    inside = share.with_voxels((share.voxels_zyx >= FULL // 2).astype(np.uint8))
    return bool(check_lungs(inside, coarse.with_voxels(coarse.voxels_zyx.astype(np.int16)), SICK_MEAN_HU)["plausible"])


def _field(image: Volume, share: Volume, mean_hu_range: tuple[float, float]) -> LungField:
    """A coarse field on the image's grid, and its facts."""
    lungs = image.with_voxels(on_grid(share, image.grid))
    return LungField(lungs, check_lungs(lungs, image, mean_hu_range))
