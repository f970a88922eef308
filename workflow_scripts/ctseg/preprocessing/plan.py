"""Values for each `auto` of the config, from the training cases, with reasons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctseg.decisions import GIVEN, Decision, Stored, stored
from ctseg.errors import ConfigError
from ctseg.geometry.hounsfield import window_limits_hu
from ctseg.network.kinds import follows_device
from ctseg.preprocessing.plan_network import Decisions, Device, Facts, plan_network

ANISOTROPIC = 3.0  # ratio of spacings above which an axis does not get its median spacing
WINDOW_MARGIN_HU = 50.0
WINDOW_PERCENTILES = 0.5, 99.5
IN_LUNGS = 0.99  # smallest share of a case's targets in the box around the lungs, for cropping to it


def plan(fingerprints: dict[str, dict[str, Any]], wanted: dict[str, Any], device: Device) -> Stored:
    """Resolve region, spacing, HU window and scaling, the network, patch, batch and smallest component.

    `fingerprints` maps each training case to its fingerprint; `wanted` holds the section `plan` of the config,
    architecture, channels, stem, strides and kernel_sizes of the section `network`, and the region of `target`. The
    memory limit of `device` is part of the result if a decision depends on the device. Returns {"value", "reason"} per
    decision; sizes in x, y, z order. Raises ConfigError if an automatic window or zscore scaling has no foreground, or
    if patch and levels do not fit each other.
    """
    facts = list(fingerprints.values())
    made: Decisions = {"region": _region(facts, wanted["region"])}
    made["spacing_mm"] = _spacing(facts) if wanted["spacing_mm"] == "auto" else Decision(wanted["spacing_mm"], GIVEN)
    if wanted["window_hu"] == "auto":
        made["window_hu"] = _window(facts, wanted["scaling"])
    else:
        made["window_hu"] = Decision(list(window_limits_hu(wanted["window_hu"])), GIVEN)
    made["scaling_hu"] = _scaling(facts, wanted["scaling"], made["window_hu"].value)
    made |= plan_network(facts, wanted, made["spacing_mm"].value, made["region"].value, device)
    made["smallest_component_mm3"] = _smallest_component(facts)
    if follows_device(wanted, wanted):
        made["memory_gib"] = device.memory_gib
    return stored(made)


def _region(facts: Facts, wanted: str) -> Decision:
    """The given region; for `auto` the lungs if `IN_LUNGS` of each case's targets is in their box, else the body."""
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
    """HU statistics of all cases with targets. Raises ConfigError, with `what` in its message, if no case has one."""
    rows = [fact["foreground_hu"] for fact in facts if fact["foreground_hu"]]
    if not rows:
        raise ConfigError(f"{what}, but no training case has a voxel of any target; give a window")
    return rows


def _window(facts: Facts, scaling: str) -> Decision:
    """HU range of the targets, with a margin for their surroundings except for zscore scaling."""
    rows = [row["percentiles"] for row in _foreground(facts, "plan.window_hu is auto")]
    low, high = (pooled_percentile_hu(rows, percent) for percent in WINDOW_PERCENTILES)
    margin_hu = 0.0 if scaling == "zscore" else WINDOW_MARGIN_HU
    reason = f"0.5 and 99.5 percentile of the targets' HU in {len(rows)} cases, each with the same weight"
    value = [round(low - margin_hu), round(high + margin_hu)]
    return Decision(value, reason + (f", with {margin_hu:g} HU added on each side" if margin_hu else ""))


def pooled_percentile_hu(cases: Sequence[Mapping[str, float]], percent: float) -> float:
    """Percentile of the HU of all cases together, each case with the same weight; each maps percents to HU.

    The median of the percentiles of the cases would cut off the HU beyond it in half of the cases.
    """
    hu = np.arange(np.floor(min(case["0"] for case in cases)), np.ceil(max(case["100"] for case in cases)) + 1)
    shares = [np.interp(hu, list(case.values()), [float(percent) for percent in case]) for case in cases]
    return float(hu[np.searchsorted(np.mean(shares, axis=0), percent)])


def _scaling(facts: Facts, scaling: str, window_hu: list[float]) -> Decision:
    """Centre and spread: of the window, or mean and standard deviation of the targets' HU."""
    if scaling == "window":
        low, high = window_hu
        return Decision([(low + high) / 2, (high - low) / 2], "plan.scaling is window: the window becomes -1 to 1")
    rows = _foreground(facts, "plan.scaling is zscore")
    mean = float(np.mean([row["mean"] for row in rows]))
    # Standard deviation of all cases together: from the variance within cases and that of their means.
    spread = float(np.sqrt(np.mean([row["std"] ** 2 + (row["mean"] - mean) ** 2 for row in rows])))
    reason = f"plan.scaling is zscore: mean and standard deviation of the targets' HU in {len(rows)} cases"
    return Decision([round(mean, 3), round(max(spread, 1.0), 3)], reason)


def _smallest_component(facts: Facts) -> Decision:
    """Half of the fifth percentile of the component volumes in mm³; smaller components are probably noise."""
    volumes = [volume for fact in facts for row in fact["classes"] for volume in row["component_volumes_mm3"]]
    if not volumes:
        return Decision(0.0, "no training case has a voxel of any target")
    value = round(float(np.percentile(volumes, 5)) / 2, 3)
    return Decision(
        value, f"half of the fifth percentile of {len(volumes)} components; a candidate of choosing by Dice"
    )
