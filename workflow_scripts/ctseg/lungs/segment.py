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
from ctseg.lungs.coarse import FULL, HALF, SURE, SURE_NOT, coarse_image, on_grid, with_ends
from ctseg.lungs.plausibility import PLAUSIBLE_MEAN_HU, SICK_MEAN_HU, check_lungs
from ctseg.lungs.threshold import threshold_lungs
from ctseg.masks.overlap import dice_of_masks

CUBE = np.ones((3, 3, 3), bool)
GAS_HU = -500  # lung, trachea, bronchi and bowel gas are below it
LARGE_PART = 0.2  # of the threshold's volume; a part of this size may be a whole lung


class LungField(NamedTuple):
    """A lung field (uint8, 1 inside) on the image's own grid, empty where no lung is found, and its facts.

    The facts are those of `check_lungs`. If the network was used, also `method`, the method of the field ("threshold",
    "network" or "both"), and `agreement`, the Dice of the fields of both methods, None if both are empty.
    """

    lungs: Volume
    facts: dict[str, Any]


def segment_lungs(image: Volume, method: str = "threshold") -> LungField:
    """The lung field of an image in HU, in any orientation.

    `method` is "threshold", "network", or "auto": the threshold's field with the diseased parts that the network adds
    and without small parts of gas that it excludes, if the network's field and the corrected one are plausible, else
    the threshold's field.
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
        used, share = "both", corrected(by_threshold, by_network, air, resample(coarse, by_network.grid).voxels_zyx)
        if not (_is_plausible(resample(by_network, coarse.grid, fill=0), coarse) and _is_plausible(share, coarse)):
            used, share, mean_hu_range = "threshold", by_threshold, PLAUSIBLE_MEAN_HU
    lungs, facts = _field(image, share, mean_hu_range)
    return LungField(lungs, facts | {"method": used} | told)


def corrected(by_threshold: Volume, by_network: Volume, air: np.ndarray, hu_zyx: np.ndarray) -> Volume:
    """The threshold's field, on the working grid, where the network does not surely differ from it.

    On the network's grid, `air` is the threshold's field as a boolean mask, and `hu_zyx` the image, both [z, y, x].
    """
    sure = by_network.voxels_zyx >= SURE * FULL
    added = np.where(sick_parts(sure, air) | air, by_network.voxels_zyx, np.uint8(0))
    # Dense parts of the threshold's field stay: it closes over vessels and lesions, and a lesion must not be lost.
    refused = air & (by_network.voxels_zyx <= SURE_NOT * FULL) & (hu_zyx < GAS_HU)
    excluded = small_parts(thick_parts(refused), air) * np.uint8(FULL)
    more, less = (
        resample(with_ends(by_network.with_voxels(voxels)), by_threshold.grid, fill=0).voxels_zyx
        for voxels in (added, excluded)
    )
    kept = np.where(less < HALF, by_threshold.voxels_zyx, np.uint8(0))
    return by_threshold.with_voxels(np.maximum(kept, more))


def sick_parts(inside: np.ndarray, air: np.ndarray) -> np.ndarray:
    """Mask of the network's field `inside` without the threshold's field `air`, thin shells and separate small parts.

    Both are boolean masks [z, y, x] on the network's grid. Along a healthy pleura the threshold is more exact than the
    network. If the threshold finds nothing, the result is the network's whole field.
    """
    if not air.any():
        return inside
    thick = thick_parts(inside & ~air)
    parts = cc3d.connected_components(thick | air, connectivity=6)
    keep = np.bincount(parts.ravel()) >= LARGE_PART * np.count_nonzero(air)
    keep[parts[air]] = True
    return thick & keep[parts]


def small_parts(mask: np.ndarray, air: np.ndarray) -> np.ndarray:
    """The connected parts of a mask that are too small for a lung: trachea, bronchi, bowel gas."""
    parts = cc3d.connected_components(mask, connectivity=6)
    return mask & (np.bincount(parts.ravel()) < LARGE_PART * np.count_nonzero(air))[parts]


def thick_parts(mask: np.ndarray) -> np.ndarray:
    """The mask without parts that are less than three voxels thick."""
    cores = ndimage.binary_erosion(mask, CUBE)
    return ndimage.binary_dilation(cores, CUBE, iterations=2) & mask


def _is_plausible(share: Volume, coarse: Volume) -> bool:
    """Whether a field from the network, alone or joined, looks like lungs, on the working grid."""
    inside = share.with_voxels((share.voxels_zyx >= FULL // 2).astype(np.uint8))
    return bool(check_lungs(inside, coarse.with_voxels(coarse.voxels_zyx.astype(np.int16)), SICK_MEAN_HU)["plausible"])


def _field(image: Volume, share: Volume, mean_hu_range: tuple[float, float]) -> LungField:
    """The lung field on the image's grid, and its facts, from a coarse field."""
    lungs = image.with_voxels(on_grid(share, image.grid))
    return LungField(lungs, check_lungs(lungs, image, mean_hu_range))
