"""Cleaning a segmentation: the target's region, the smallest component, the largest component."""

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from ctseg.components import label_components, voxels_in
from ctseg.resample import bounding_box, grow_box
from ctseg.volume import Volume


@dataclass(frozen=True)
class PostprocessSettings:
    """What to remove: small components, all but the largest of a class, what lies outside of the lungs."""

    min_volume_mm3: float
    keep_largest: bool
    restrict_to_region: bool


REACH_MM = 5.0  # around the region that still counts: a lung field ends where a lesion on the pleura begins
REGION_SHARE = 0.05  # of a component that has to lie within reach; a lesion that grows out of the lung is kept whole


def postprocess(
    segmentation: Volume, settings: PostprocessSettings, region: Volume | None, region_plausible: bool
) -> tuple[Volume, dict[str, Any]]:
    """Remove components away from the region, then small ones, then all but the largest, each class by itself.

    `segmentation` holds classes 1…n (uint8), `region` a mask on the same grid, or None where the target may lie
    anywhere. A region that is not plausible is not used: it would remove what it failed to find. Components are
    removed as a whole: a tumour on the pleura reaches beyond the lung field, and cutting it there would falsify its
    volume. Returns the cleaned segmentation and what each step removed, in components and voxels.
    """
    restrict = region is not None and settings.restrict_to_region
    facts: dict[str, Any] = {"region_used": restrict and region_plausible}
    if restrict and not region_plausible:
        facts["region_reason"] = "the lung field is not plausible"
    for step in ("outside", "small", "other"):
        facts |= {f"removed_{step}_components": 0, f"removed_{step}_voxels": 0}
    box = bounding_box(segmentation.voxels_zyx > 0)
    asked_for = settings.min_volume_mm3 > 0 or settings.keep_largest or facts["region_used"]
    if box is None or not asked_for:
        return segmentation, facts
    whole = segmentation.voxels_zyx.copy()
    # Only what is near enough to judge a component by is looked at: most of a scan is empty.
    box = grow_box(box, REACH_MM, segmentation.grid)
    voxels, region = whole[box], region.cropped(box) if region else None
    smallest_voxels = voxels_in(settings.min_volume_mm3, segmentation.grid)
    for value in range(1, int(voxels.max()) + 1):
        components = label_components(voxels == value)
        sizes = cc3d.statistics(components)["voxel_counts"]
        alive = np.arange(sizes.size) > 0
        if facts["region_used"] and region is not None:
            alive = _drop(alive, _in_reach(components, sizes, region), sizes, "outside", facts)
        alive = _drop(alive, sizes >= smallest_voxels, sizes, "small", facts)
        if settings.keep_largest and alive.any():
            largest = int(np.where(alive, sizes, 0).argmax())
            alive = _drop(alive, np.arange(sizes.size) == largest, sizes, "other", facts)
        alive[0] = True
        voxels *= alive[components]
    return segmentation.with_voxels(whole), facts


def _in_reach(components: np.ndarray, sizes: np.ndarray, region: Volume) -> np.ndarray:
    """For each component whether enough of it lies in the region or not farther than `REACH_MM` from it."""
    enough = np.bincount(components[region.voxels_zyx > 0], minlength=sizes.size) >= REGION_SHARE * sizes
    # Distances are only measured around the few components that the region itself does not hold.
    boxes = find_objects(components)
    for number in np.flatnonzero(~enough[1:]) + 1:
        box = grow_box(boxes[number - 1], REACH_MM, region.grid)
        near_mm = distance_transform_edt(region.voxels_zyx[box] == 0, sampling=region.grid.spacing_zyx_mm)
        if region.voxels_zyx[box].any():
            enough[number] = (near_mm[components[box] == number] <= REACH_MM).mean() >= REGION_SHARE
    return enough


def _drop(alive: np.ndarray, keep: np.ndarray, sizes: np.ndarray, step: str, facts: dict[str, Any]) -> np.ndarray:
    """The components that are still alive after a step; what it removed is added to `facts`."""
    dropped = alive & ~keep
    facts[f"removed_{step}_components"] += int(dropped.sum())
    facts[f"removed_{step}_voxels"] += int(sizes[dropped].sum())
    return alive & keep
