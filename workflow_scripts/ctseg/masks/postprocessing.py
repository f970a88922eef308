"""Postprocessing of a segmentation: restrict it to the lung field, remove small components, keep the largest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from ctseg.geometry.resample import grow_box
from ctseg.geometry.volume import LEEWAY_MM, Grid, Volume
from ctseg.masks.components import measure, voxels_in
from ctseg.masks.run_lengths import Components, Runs, fill, find_components, read_runs, slabs, split_runs


@dataclass(frozen=True)
class PostprocessSettings:
    """Components to remove: small ones, all but the largest of a class, those away from the lung field."""

    min_volume_mm3: float
    keep_largest: bool
    restrict_to_region: bool


REACH_MM = 5.0  # margin around the lung field: the field ends at a lesion on the pleura
SHARE_IN_LUNGS = 0.05  # least share of a component in reach; a lesion that grows out of the lung is kept whole
DISTANCE_VOXELS = 2**19  # slab size for measuring distances to the lung field


def postprocess(
    segmentation: Volume, settings: PostprocessSettings, lungs: Volume | None, lungs_plausible: bool
) -> tuple[Volume, dict[str, Any]]:
    """Remove components away from the lung field, then small ones, then all but the largest of each class.

    `segmentation` holds classes 1…n (uint8), `lungs` is a mask on the same grid, or None if the target may be anywhere.
    An implausible lung field is not used: lesions in the part that it misses would be removed. Components are removed
    as a whole: a tumour on the pleura reaches beyond the lung field, and cutting it there would falsify its volume.
    Returns the remaining segmentation, and the facts: the components and voxels that each step removed, and whether
    the lung field was used.
    """
    facts = _nothing_removed(settings, lungs, lungs_plausible)
    if not _removes(settings, facts):
        return segmentation, facts
    left, facts = _left(find_components(segmentation.voxels_zyx), segmentation.grid, settings, lungs, facts)
    return segmentation.with_voxels(fill(left.runs)), facts


def postprocess_and_measure(
    segmentation: Volume,
    image: Volume,
    settings: PostprocessSettings,
    lungs: Volume | None,
    lungs_plausible: bool,
    entropy: Volume | None = None,
) -> tuple[Volume, list[dict[str, Any]], dict[str, Any]]:
    """Segmentation and facts of `postprocess`, with the rows of `measure` for the remaining components between them.

    Components are computed once: removing some of them does not change the others.
    """
    facts, components = _nothing_removed(settings, lungs, lungs_plausible), find_components(segmentation.voxels_zyx)
    if _removes(settings, facts):
        components, facts = _left(components, segmentation.grid, settings, lungs, facts)
        segmentation = segmentation.with_voxels(fill(components.runs))
    return segmentation, measure(components, image, entropy), facts


def _nothing_removed(settings: PostprocessSettings, lungs: Volume | None, lungs_plausible: bool) -> dict[str, Any]:
    """Initial facts: whether the lung field is used, and counts of zero for each step."""
    restrict = lungs is not None and settings.restrict_to_region
    facts: dict[str, Any] = {"region_used": restrict and lungs_plausible}
    if restrict and not lungs_plausible:
        facts["region_reason"] = "the lung field is not plausible"
    for step in ("outside", "small", "other"):
        facts |= {f"removed_{step}_components": 0, f"removed_{step}_voxels": 0}
    return facts


def _removes(settings: PostprocessSettings, facts: dict[str, Any]) -> bool:
    """Whether any step of the postprocessing is active."""
    return settings.min_volume_mm3 > 0 or settings.keep_largest or facts["region_used"]


def _left(
    components: Components, grid: Grid, settings: PostprocessSettings, lungs: Volume | None, facts: dict[str, Any]
) -> tuple[Components, dict[str, Any]]:
    """The remaining components, and the facts with the counts that each step removed."""
    runs, of_run, sizes, facts = components.runs, components.of_run, components.sizes, dict(facts)
    alive = np.ones(sizes.size, bool)
    if facts["region_used"] and lungs is not None:
        alive = _drop(alive, _in_reach(runs, of_run, sizes, lungs), sizes, "outside", facts)
    alive = _drop(alive, sizes >= voxels_in(settings.min_volume_mm3, grid), sizes, "small", facts)
    if settings.keep_largest:
        alive = _drop(alive, _largest(runs, of_run, np.where(alive, sizes, 0)), sizes, "other", facts)
    return components.chosen(alive), facts


def _largest(runs: Runs, components: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether each component is the largest of its class (the first of equal ones): bool [component]."""
    classes, largest = np.empty(sizes.size, runs.value.dtype), np.zeros(sizes.size, bool)
    classes[components] = runs.value
    for value in np.unique(classes):
        of_class = np.flatnonzero(classes == value)
        largest[of_class[sizes[of_class].argmax()]] = True
    return largest


def _in_reach(runs: Runs, components: np.ndarray, sizes: np.ndarray, lungs: Volume) -> np.ndarray:
    """Whether `SHARE_IN_LUNGS` of each component is within `REACH_MM` of the lung field: bool [component]."""
    inside = np.zeros(sizes.size, np.int64)
    for part, values, begins in read_runs(runs, lungs.voxels_zyx):
        np.add.at(inside, components[part], np.add.reduceat((values > 0).astype(np.int64), begins))
    enough = inside >= SHARE_IN_LUNGS * sizes
    # Measure distances only for the few components with too small a share in the lung field itself.
    few = ~enough[components]
    for number, piece in zip(np.flatnonzero(~enough), split_runs(runs.chosen(few), components[few]), strict=True):
        enough[number] = _near_voxels(piece, lungs) / sizes[number] >= SHARE_IN_LUNGS
    return enough


def _near_voxels(runs: Runs, lungs: Volume) -> int:
    """Number of voxels of the runs within `REACH_MM` of the lung field, measured slab by slab."""
    around = grow_box(runs.box, REACH_MM, lungs.grid)
    runs, lungs = runs.cropped(around), lungs.cropped(around)
    near = 0
    for _, part in slabs(runs, DISTANCE_VOXELS):
        some = runs.chosen(part)
        box = grow_box(some.box, REACH_MM, lungs.grid)
        outside = lungs.voxels_zyx[box] == 0
        if not outside.all():
            distance_mm = distance_transform_edt(outside, sampling=lungs.grid.spacing_zyx_mm)
            near += int((distance_mm[fill(some.cropped(box)) > 0] <= REACH_MM + LEEWAY_MM).sum())
    return near


def _drop(alive: np.ndarray, keep: np.ndarray, sizes: np.ndarray, step: str, facts: dict[str, Any]) -> np.ndarray:
    """Mask `[component]` of the components left after a step; adds the removed components and voxels to `facts`."""
    dropped = alive & ~keep
    facts[f"removed_{step}_components"] += int(dropped.sum())
    facts[f"removed_{step}_voxels"] += int(sizes[dropped].sum())
    return alive & keep
