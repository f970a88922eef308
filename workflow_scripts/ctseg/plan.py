"""Resolving each `auto` of the config from the training cases, and saying why."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.errors import InputError
from ctseg.intensity import window_limits_hu

ANISOTROPIC = 3.0  # a slice distance this many times the in-plane spacing is a property of the data, not to be undone
WINDOW_MARGIN_HU = 50.0
# Memory of a training step of the 16…256 residual U-Net, gradients included, per patch voxel in float32, measured at
# 2 × 96³ on a CPU; it grows with the features of the finest level.
STEP_BYTES_PER_VOXEL = 1500
STEP_FEATURES = 16


@dataclass(frozen=True)
class Decision:
    """A value and the reason for it, in words."""

    value: Any
    reason: str


GIVEN = "given in the config"


def plan(fingerprints: dict[str, dict[str, Any]], wanted: dict[str, Any], size_multiple: int, features: int) -> dict:
    """Resolve spacing, HU window, patch and batch.

    `fingerprints` maps each training case to its fingerprint; `wanted` is the section `plan` of the config;
    `size_multiple` is what patch sizes must be multiples of, `features` those of the finest level. Returns a dict of
    {"value", "reason"} per key; sizes in x, y, z order. Raises InputError when a window is wanted from no foreground.
    """
    facts = list(fingerprints.values())
    spacing = _spacing(facts) if wanted["spacing_mm"] == "auto" else Decision(wanted["spacing_mm"], GIVEN)
    if wanted["window_hu"] == "auto":
        window = _window(facts)
    else:
        window = Decision(list(window_limits_hu(wanted["window_hu"])), GIVEN)
    voxels = wanted["memory_gib"] * 2**30 / (STEP_BYTES_PER_VOXEL * max(features, STEP_FEATURES) / STEP_FEATURES)
    patch = (
        _patch(facts, spacing.value, size_multiple, voxels / 2)
        if wanted["patch_size"] == "auto"
        else Decision(wanted["patch_size"], GIVEN)
    )
    batch = _batch(patch.value, voxels) if wanted["batch_size"] == "auto" else Decision(wanted["batch_size"], GIVEN)
    decisions = {"spacing_mm": spacing, "window_hu": window, "patch_size": patch, "batch_size": batch}
    return {name: {"value": made.value, "reason": made.reason} for name, made in decisions.items()}


def _spacing(facts: list[dict[str, Any]]) -> Decision:
    """The median spacing; the tenth percentile along an axis that is much coarser than the others."""
    spacings = np.array([fact["spacing_xyz_mm"] for fact in facts])
    median = np.median(spacings, axis=0)
    reason = f"median of {len(facts)} training cases"
    coarse = int(median.argmax())
    if median[coarse] > ANISOTROPIC * np.delete(median, coarse).max():
        median[coarse] = np.percentile(spacings[:, coarse], 10)
        reason += f"; {'xyz'[coarse]} is more than {ANISOTROPIC:g} times coarser, so its tenth percentile is taken"
    return Decision([round(float(value), 4) for value in median], reason)


def _window(facts: list[dict[str, Any]]) -> Decision:
    """The targets' own range of HU, with a margin for what surrounds them."""
    percentiles = [fact["foreground_hu_percentiles"] for fact in facts if fact["foreground_hu_percentiles"]]
    if not percentiles:
        raise InputError("plan.window_hu is auto, but no training case has a voxel of any target; give a window")
    low = round(float(np.median([row[0] for row in percentiles])) - WINDOW_MARGIN_HU)
    high = round(float(np.median([row[-1] for row in percentiles])) + WINDOW_MARGIN_HU)
    return Decision(
        [low, high],
        f"median over {len(percentiles)} cases of the 0.5 and 99.5 percentile of the targets' HU, "
        f"and {WINDOW_MARGIN_HU:g} HU more on each side",
    )


def _patch(facts: list[dict[str, Any]], spacing: list[float], multiple: int, voxels: float) -> Decision:
    """The median region, shrunk in proportion until it has at most `voxels`, in multiples of `multiple`."""
    region = np.median([fact["region_xyz_mm"] for fact in facts], axis=0) / spacing
    smallest = 2 * multiple
    patch = np.maximum(np.ceil(region / multiple) * multiple, smallest)
    while patch.prod() > voxels and patch.max() > smallest:
        patch[patch.argmax()] -= multiple
    shape = [int(value) for value in patch]
    return Decision(
        shape, f"the median region of {region.round().astype(int).tolist()} voxels, cut to the memory given"
    )


def _batch(patch: list[int], voxels: float) -> Decision:
    """As many patches as the memory holds, from 2 to 8."""
    fits = int(voxels // np.prod(patch))
    size = min(8, max(2, fits))
    return Decision(size, f"{max(fits, 0)} patches fit the memory given; 2 to 8 are used")
