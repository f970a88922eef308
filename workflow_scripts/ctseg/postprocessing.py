"""Cleaning a segmentation: the target's region, the smallest component, the largest component."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.components import label_components, voxels_in
from ctseg.volume import Volume


@dataclass(frozen=True)
class PostprocessSettings:
    """What to remove: small components, all but the largest of a class, what lies outside of the lungs."""

    min_volume_mm3: float
    keep_largest: bool
    restrict_to_region: bool


REGION_SHARE = 0.05  # of a component that has to lie in the region; a lesion that grows out of the lung is kept whole


def postprocess(
    segmentation: Volume, settings: PostprocessSettings, region: Volume | None, region_plausible: bool
) -> tuple[Volume, dict[str, Any]]:
    """Remove components outside of the region, then small ones, then all but the largest, each class by itself.

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
    voxels = segmentation.voxels_zyx.copy()
    smallest_voxels = voxels_in(settings.min_volume_mm3, segmentation.grid)
    for value in np.unique(voxels[voxels > 0]):
        components = label_components(voxels == value)
        sizes = np.bincount(components.ravel())
        alive = np.arange(sizes.size) > 0
        if facts["region_used"] and region is not None:
            inside = np.bincount(components[region.voxels_zyx > 0], minlength=sizes.size)
            alive = _drop(alive, inside >= REGION_SHARE * sizes, sizes, "outside", facts)
        alive = _drop(alive, sizes >= smallest_voxels, sizes, "small", facts)
        if settings.keep_largest and alive.any():
            largest = int(np.where(alive, sizes, 0).argmax())
            alive = _drop(alive, np.arange(sizes.size) == largest, sizes, "other", facts)
        alive[0] = True
        voxels[~alive[components]] = 0
    return segmentation.with_voxels(voxels), facts


def _drop(alive: np.ndarray, keep: np.ndarray, sizes: np.ndarray, step: str, facts: dict[str, Any]) -> np.ndarray:
    """The components that are still alive after a step; what it removed is added to `facts`."""
    dropped = alive & ~keep
    facts[f"removed_{step}_components"] += int(dropped.sum())
    facts[f"removed_{step}_voxels"] += int(sizes[dropped].sum())
    return alive & keep
