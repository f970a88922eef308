"""Postprocessing of a segmentation: the lung field, the smallest component, the largest component."""

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
    """What to remove: small components, all but the largest of a class, what lies outside of the lungs."""

    min_volume_mm3: float
    keep_largest: bool
    restrict_to_region: bool


REACH_MM = 5.0  # around the lung field that still counts: a lung field ends where a lesion on the pleura begins
SHARE_IN_LUNGS = 0.05  # of a component that has to lie within reach; a lesion that grows out of the lung is kept whole
DISTANCE_VOXELS = 2**19  # of a slab whose distances to the lung field are measured in one go


def postprocess(
    segmentation: Volume, settings: PostprocessSettings, lungs: Volume | None, lungs_plausible: bool
) -> tuple[Volume, dict[str, Any]]:
    """Remove components away from the lung field, then small ones, then all but the largest, each class by itself.

    `segmentation` holds classes 1…n (uint8), `lungs` a mask on the same grid, or None where the target may lie
    anywhere. A lung field that is not plausible is not used: it would remove what it failed to find. Components are
    removed as a whole: a tumour on the pleura reaches beyond the lung field, and cutting it there would falsify its
    volume. Returns the segmentation that is left and what each step removed, in components and voxels.
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
    """What `postprocess` leaves of a segmentation, the rows of its components as of `measure`, and the facts.

    Components are found once: removing some of them changes none of the others.
    """
    facts, components = _nothing_removed(settings, lungs, lungs_plausible), find_components(segmentation.voxels_zyx)
    if _removes(settings, facts):
        components, facts = _left(components, segmentation.grid, settings, lungs, facts)
        segmentation = segmentation.with_voxels(fill(components.runs))
    return segmentation, measure(components, image, entropy), facts


def _nothing_removed(settings: PostprocessSettings, lungs: Volume | None, lungs_plausible: bool) -> dict[str, Any]:
    """Whether the lung field is used, and the counts of postprocessing that removes nothing."""
    restrict = lungs is not None and settings.restrict_to_region
    facts: dict[str, Any] = {"region_used": restrict and lungs_plausible}
    if restrict and not lungs_plausible:
        facts["region_reason"] = "the lung field is not plausible"
    for step in ("outside", "small", "other"):
        facts |= {f"removed_{step}_components": 0, f"removed_{step}_voxels": 0}
    return facts


def _removes(settings: PostprocessSettings, facts: dict[str, Any]) -> bool:
    """Whether there is any reason to remove a component."""
    return settings.min_volume_mm3 > 0 or settings.keep_largest or facts["region_used"]


def _left(
    components: Components, grid: Grid, settings: PostprocessSettings, lungs: Volume | None, facts: dict[str, Any]
) -> tuple[Components, dict[str, Any]]:
    """The components that are left, and the facts with what each step removed."""
    runs, of_run, sizes, facts = components.runs, components.of_run, components.sizes, dict(facts)
    alive = np.ones(sizes.size, bool)
    if facts["region_used"] and lungs is not None:
        alive = _drop(alive, _in_reach(runs, of_run, sizes, lungs), sizes, "outside", facts)
    alive = _drop(alive, sizes >= voxels_in(settings.min_volume_mm3, grid), sizes, "small", facts)
    if settings.keep_largest:
        alive = _drop(alive, _largest(runs, of_run, np.where(alive, sizes, 0)), sizes, "other", facts)
    return components.chosen(alive), facts


def _largest(runs: Runs, components: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """For each component whether it is the largest of its class, of equal ones the first."""
    classes, largest = np.empty(sizes.size, runs.value.dtype), np.zeros(sizes.size, bool)
    classes[components] = runs.value
    for value in np.unique(classes):
        of_class = np.flatnonzero(classes == value)
        largest[of_class[sizes[of_class].argmax()]] = True
    return largest


def _in_reach(runs: Runs, components: np.ndarray, sizes: np.ndarray, lungs: Volume) -> np.ndarray:
    """For each component whether enough of it lies in the lung field or not farther than `REACH_MM` from it."""
    inside = np.zeros(sizes.size, np.int64)
    for part, values, begins in read_runs(runs, lungs.voxels_zyx):
        np.add.at(inside, components[part], np.add.reduceat((values > 0).astype(np.int64), begins))
    enough = inside >= SHARE_IN_LUNGS * sizes
    # Distances are only measured around the few components that the lung field itself does not hold.
    few = ~enough[components]
    for number, piece in zip(np.flatnonzero(~enough), split_runs(runs.chosen(few), components[few]), strict=True):
        enough[number] = _near_voxels(piece, lungs) / sizes[number] >= SHARE_IN_LUNGS
    return enough


def _near_voxels(runs: Runs, lungs: Volume) -> int:
    """How many voxels of the runs are not farther than `REACH_MM` from the lung field, measured a slab at a time."""
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
    """The components that are still alive after a step; what it removed is added to `facts`."""
    dropped = alive & ~keep
    facts[f"removed_{step}_components"] += int(dropped.sum())
    facts[f"removed_{step}_voxels"] += int(sizes[dropped].sum())
    return alive & keep
