"""Values for each `auto` of the config, from the training cases, with reasons."""

from typing import Any

import numpy as np

from ctseg.decisions import GIVEN, Decision, Stored, stored
from ctseg.errors import ConfigError
from ctseg.geometry.hounsfield import window_limits_hu
from ctseg.geometry.volume import whole_up
from ctseg.network.kinds import KINDS
from ctseg.network.levels import plan_kernels, plan_strides, size_multiple

ANISOTROPIC = 3.0  # from this ratio of slice distance to in-plane spacing on, the network keeps thick slices
WINDOW_MARGIN_HU = 50.0
# Memory of a training step of the 16…256 residual U-Net, gradients included, per patch voxel in float32, measured at
# 2 × 96³ on a CPU; it grows with the features of the finest level.
STEP_BYTES_PER_VOXEL = 1500
FEATURES = 16  # of the finest level, where they are auto
MOST_FEATURES = 256
MOST_PATCH_VOXELS = 160**3  # more context has no known benefit; the remaining memory holds more patches
IN_LUNGS = 0.99  # share of a case's targets that must lie in the box around the lungs to crop to it


Facts = list[dict[str, Any]]
Decisions = dict[str, Decision]


def plan(fingerprints: dict[str, dict[str, Any]], wanted: dict[str, Any], memory_gib: Decision) -> Stored:
    """Resolve region, spacing, HU window and scaling, levels of the network, patch, batch and smallest component.

    `fingerprints` maps each training case to its fingerprint; `wanted` holds the section `plan` of the config, of
    `network` architecture, channels, strides and kernel_sizes, and of `target` the region. `memory_gib` is the
    limit of a training step on the device that trains; it is part of the result if patch or batch follow from it.
    Returns {"value", "reason"} per decision; sizes in x, y, z order. Raises ConfigError when an automatic window
    has no foreground, or when patch and levels do not fit each other.
    """
    facts = list(fingerprints.values())
    wanted = wanted | {"memory_gib": memory_gib.value}
    made: Decisions = {"region": _region(facts, wanted["region"])}
    made["spacing_mm"] = _spacing(facts) if wanted["spacing_mm"] == "auto" else Decision(wanted["spacing_mm"], GIVEN)
    if wanted["window_hu"] == "auto":
        made["window_hu"] = _window(facts, wanted["scaling"])
    else:
        made["window_hu"] = Decision(list(window_limits_hu(wanted["window_hu"])), GIVEN)
    made["scaling_hu"] = _scaling(facts, wanted["scaling"], made["window_hu"].value)
    made |= _network_and_patch(facts, wanted, made["spacing_mm"].value, made["region"].value)
    voxels = _voxels(wanted, made["channels"].value)
    if wanted["batch_size"] == "auto":
        made["batch_size"] = _batch(made["patch_size"].value, voxels)
    else:
        made["batch_size"] = Decision(wanted["batch_size"], GIVEN)
    made["smallest_component_mm3"] = _smallest_component(facts)
    if "auto" in (wanted["patch_size"], wanted["batch_size"]):
        made["memory_gib"] = memory_gib
    return stored(made)


def _region(facts: Facts, wanted: str) -> Decision:
    """The lungs when every target of every case lies in their box, else the body."""
    if wanted != "auto":
        return Decision(wanted, GIVEN)
    shares = [fact["foreground_in_lungs"] for fact in facts if fact["foreground_in_lungs"] is not None]
    if shares and min(shares) >= IN_LUNGS:
        return Decision("lungs", f"the targets of all {len(shares)} cases with targets lie in the box around the lungs")
    outside = sum(share < IN_LUNGS for share in shares)
    return Decision("body", f"in {outside} of {len(shares)} cases targets lie outside the box around the lungs")


def _spacing(facts: Facts) -> Decision:
    """The median spacing; the tenth percentile along an axis that is much coarser than the others."""
    spacings = np.array([fact["spacing_xyz_mm"] for fact in facts])
    median = np.median(spacings, axis=0)
    reason = f"median of {len(facts)} training cases"
    coarse = int(median.argmax())
    if median[coarse] > ANISOTROPIC * np.delete(median, coarse).max():
        median[coarse] = np.percentile(spacings[:, coarse], 10)
        reason += f"; {'xyz'[coarse]} is more than {ANISOTROPIC:g} times coarser, so its tenth percentile is taken"
    return Decision([round(float(value), 4) for value in median], reason)


def _foreground(facts: Facts, what: str) -> list[dict[str, Any]]:
    """The HU statistics of all cases with targets; `what` is named when there are none."""
    rows = [fact["foreground_hu"] for fact in facts if fact["foreground_hu"]]
    if not rows:
        raise ConfigError(f"{what}, but no training case has a voxel of any target; give a window")
    return rows


def _window(facts: Facts, scaling: str) -> Decision:
    """The targets' range of HU; with a margin for their surroundings, except for zscore scaling."""
    rows = _foreground(facts, "plan.window_hu is auto")
    margin_hu = 0.0 if scaling == "zscore" else WINDOW_MARGIN_HU
    low = round(float(np.median([row["percentiles"][0] for row in rows])) - margin_hu)
    high = round(float(np.median([row["percentiles"][-1] for row in rows])) + margin_hu)
    reason = f"median over {len(rows)} cases of the 0.5 and 99.5 percentile of the targets' HU"
    return Decision([low, high], reason + (f", with {margin_hu:g} HU added on each side" if margin_hu else ""))


def _scaling(facts: Facts, scaling: str, window_hu: list[float]) -> Decision:
    """Centre and spread: of the window, or mean and standard deviation of the targets' HU."""
    if scaling == "window":
        low, high = window_hu
        return Decision([(low + high) / 2, (high - low) / 2], "plan.scaling is window: the window becomes -1 to 1")
    rows = _foreground(facts, "plan.scaling is zscore")
    mean = float(np.mean([row["mean"] for row in rows]))
    # Of all cases together: the variance within them and that of their means.
    spread = float(np.sqrt(np.mean([row["std"] ** 2 + (row["mean"] - mean) ** 2 for row in rows])))
    reason = f"plan.scaling is zscore: mean and standard deviation of the targets' HU in {len(rows)} cases"
    return Decision([round(mean, 3), round(max(spread, 1.0), 3)], reason)


def _network_and_patch(facts: Facts, wanted: dict[str, Any], spacing_mm: list[float], region: str) -> Decisions:
    """Levels, strides, kernels and patch, which depend on each other."""
    given_patch = None if wanted["patch_size"] == "auto" else wanted["patch_size"]
    levels = None if wanted["channels"] == "auto" else len(wanted["channels"])
    size = np.median([fact["region_xyz_mm"][region] for fact in facts], axis=0) / spacing_mm
    if given_patch is None:
        most = min(_voxels(wanted, wanted["channels"]) / 2, MOST_PATCH_VOXELS)
        # Approximate patch: the region, shrunk evenly to the memory.
        about = size * min(1.0, (most / size.prod()) ** (1 / 3))
    strides = _strides(wanted, spacing_mm, given_patch or (None if levels else about.tolist()), levels)
    if wanted["channels"] == "auto":
        values = [min(MOST_FEATURES, FEATURES * 2**level) for level in range(len(strides.value) + 1)]
        channels = Decision(values, f"{FEATURES} features, doubled at each level; as many levels as the patch allows")
    else:
        channels = Decision(wanted["channels"], GIVEN)
    multiple = size_multiple(strides.value)
    if given_patch is None:
        patch = _patch(size, multiple, most)
    else:
        patch = Decision(given_patch, GIVEN)
        _check_patch(given_patch, multiple, channels.value, strides.value)
    return {
        "channels": channels,
        "strides": strides,
        "kernel_sizes": _kernels(wanted, spacing_mm, strides.value),
        "patch_size": patch,
    }


def _strides(
    wanted: dict[str, Any], spacing_mm: list[float], patch: list[float] | None, levels: int | None
) -> Decision:
    """Strides of each level but the first."""
    if wanted["strides"] != "auto":
        return Decision(wanted["strides"], GIVEN)
    if KINDS[wanted["architecture"]].even_strides:
        count = (levels or len(plan_strides(spacing_mm, patch, None)) + 1) - 1
        return Decision([[2, 2, 2]] * count, f"a {wanted['architecture']} halves all axes at each level")
    strides = [list(stride) for stride in plan_strides(spacing_mm, patch, levels)]
    return Decision(strides, "an axis is halved unless its voxels are twice as long as the shortest or too few")


def _kernels(wanted: dict[str, Any], spacing_mm: list[float], strides: list[list[int]]) -> Decision:
    """Kernel sizes of the convolutions of each level."""
    if wanted["kernel_sizes"] != "auto":
        return Decision(wanted["kernel_sizes"], GIVEN)
    if not KINDS[wanted["architecture"]].kernels_vary:
        return Decision([[3, 3, 3]] * (len(strides) + 1), f"a {wanted['architecture']} has one kernel size")
    kernels = [list(kernel) for kernel in plan_kernels(spacing_mm, strides)]
    return Decision(kernels, "3, but 1 along an axis whose voxels are still twice as long as the shortest")


def _check_patch(patch: list[int], multiple: tuple[int, ...], channels: list[int], strides: list[list[int]]) -> None:
    """Raise InputError when a given patch does not fit the levels."""
    if len(strides) < len(channels) - 1:
        raise ConfigError(
            f"plan.patch_size {patch} allows {len(strides) + 1} levels, network.channels has {len(channels)}; give a "
            "larger patch, fewer channels, or network.strides"
        )
    if any(size % factor or size < factor for size, factor in zip(patch, multiple, strict=True)):
        raise ConfigError(
            f"plan.patch_size {patch} should be multiples of {list(multiple)}: the levels of the network have the "
            f"strides {strides}"
        )


def _patch(size: np.ndarray, multiple: tuple[int, ...], most_voxels: float) -> Decision:
    """The median region, shrunk along its longest side until it has at most `most_voxels`, in multiples."""
    factors = np.array(multiple)
    smallest = 2 * factors
    blocks = np.array([whole_up(count) for count in size / factors])
    patch = np.maximum(blocks * factors, smallest)
    while patch.prod() > most_voxels and (patch > smallest).any():
        axis = np.where(patch > smallest, patch, 0).argmax()
        patch[axis] -= factors[axis]
    reason = f"the median region of {size.round().astype(int).tolist()} voxels, shrunk to the memory limit"
    return Decision([int(value) for value in patch], reason)


def _voxels(wanted: dict[str, Any], channels: list[int] | str) -> float:
    """Number of patch voxels of a training step that fit the memory limit."""
    features = FEATURES if channels == "auto" else max(int(channels[0]), FEATURES)
    return wanted["memory_gib"] * 2**30 / (STEP_BYTES_PER_VOXEL * features / FEATURES)


def _batch(patch: list[int], voxels: float) -> Decision:
    """Number of patches that fit the memory limit, from 2 to 8."""
    fits = int(voxels // np.prod(patch))
    size = min(8, max(2, fits))
    return Decision(size, f"{max(fits, 0)} patches fit the memory limit; 2 to 8 are allowed")


def _smallest_component(facts: Facts) -> Decision:
    """Half of the volume that 95 % of the components of the targets exceed; smaller components are probably noise."""
    volumes = [volume for fact in facts for row in fact["classes"] for volume in row["component_volumes_mm3"]]
    if not volumes:
        return Decision(0.0, "no training case has a voxel of any target")
    value = round(float(np.percentile(volumes, 5)) / 2, 3)
    return Decision(
        value, f"half of the fifth percentile of {len(volumes)} components; a candidate of choosing by Dice"
    )
