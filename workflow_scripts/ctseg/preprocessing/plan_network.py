"""Plan of network, patch and batch for the training cases and for the device that trains.

On a GPU the limit is memory, on a processor it is time. On a processor the first level has half the resolution and 16
features, which take a fiftieth of the time of full resolution and 32 features. The measurements are in
docs/training.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.decisions import GIVEN, Decision
from ctseg.errors import ConfigError
from ctseg.geometry.volume import whole_up
from ctseg.network.kinds import AUTO, KINDS, kind_name
from ctseg.network.levels import MUCH_COARSER, plan_kernels, plan_strides, size_multiple

# Memory in bytes of a training step per patch voxel and feature of the finest level, gradients included, in float32:
# 94 for the residual U-Net with 2 × 96³ on a processor, 82 for a dynunet with 2 × 80×96×96 on a GPU.
STEP_BYTES = 94
FEWEST_FEATURES = 16  # of the finest level, at least, in the estimate of memory
FEATURES, FEATURES_ON_PROCESSOR = 32, 16  # of the finest level, if channels are auto
MOST_FEATURES = 320  # as in nnU-Net
MOST_PATCH_VOXELS = 128**3  # as in nnU-Net on a GPU of 8 GiB; more memory is used for more patches
MOST_PATCH_VOXELS_ON_PROCESSOR = 80**3  # so that a step takes only some seconds
STEP_VOXELS = 1_500_000  # of a batch of small patches on a GPU: with fewer it waits for the processor
BATCH_SIZES = 2, 8

Facts = list[dict[str, Any]]
Decisions = dict[str, Decision]


@dataclass(frozen=True)
class Device:
    """Device that trains: the memory limit of a step with its reason, and the number of GPUs, 0 for a processor."""

    memory_gib: Decision
    gpus: int

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.gpus > 0

    @property
    def name(self) -> str:
        """Name of the device in a reason."""
        return "a GPU" if self.on_gpu else "a processor"

    @property
    def features(self) -> int:
        """Number of features of the finest level, if channels are auto."""
        return FEATURES if self.on_gpu else FEATURES_ON_PROCESSOR

    @property
    def most_patch_voxels(self) -> int:
        """Largest number of voxels of a patch, independent of memory."""
        return MOST_PATCH_VOXELS if self.on_gpu else MOST_PATCH_VOXELS_ON_PROCESSOR


def plan_network(
    facts: Facts, wanted: dict[str, Any], spacing_mm: list[float], region: str, device: Device
) -> Decisions:
    """Kind, features, strides and kernels of the network, patch and batch size, which depend on each other.

    `facts` are the fingerprints of the training cases, `wanted` is as in `plan`; sizes in x, y, z order. Raises
    ConfigError if a given patch does not fit the levels, or if the patch allows too few levels.
    """
    kind = kind_name(wanted["architecture"])
    stem = _stem(wanted, kind, spacing_mm, device)
    given_patch = None if wanted["patch_size"] == AUTO else wanted["patch_size"]
    levels = None if wanted["channels"] == AUTO else len(wanted["channels"])
    size = np.median([fact["region_xyz_mm"][region] for fact in facts], axis=0) / spacing_mm
    voxels = _voxels(wanted["channels"], stem.value, device)
    most = min(voxels / BATCH_SIZES[0], device.most_patch_voxels)
    # Approximate patch: the region, shrunk evenly along all axes to fit the memory.
    about = None if levels else (size * min(1.0, (most / size.prod()) ** (1 / 3))).tolist()
    strides = _strides(wanted, kind, spacing_mm, stem.value, given_patch or about, levels)
    fewest = levels or KINDS[kind].fewest_levels
    if wanted["stem"] == AUTO and len(strides.value) < fewest - 1:
        stem = Decision([1, 1, 1], "the patch has too few voxels for a coarser first level")
        strides = _strides(wanted, kind, spacing_mm, stem.value, given_patch or about, levels)
    _check_levels(len(strides.value) + 1, kind, given_patch or about)
    channels = _channels(wanted, len(strides.value) + 1, device)
    multiple = size_multiple([stem.value, *strides.value])
    if given_patch:
        _check_patch(given_patch, multiple, channels.value, strides.value)
    patch = Decision(given_patch, GIVEN) if given_patch else _patch(size, multiple, most)
    return {
        "architecture": _architecture(wanted, kind),
        "channels": channels,
        "stem": stem,
        "strides": strides,
        "kernel_sizes": _kernels(wanted, kind, spacing_mm, [stem.value, *strides.value]),
        "patch_size": patch,
        "batch_size": _batch(wanted, patch.value, voxels, device),
    }


def _architecture(wanted: dict[str, Any], kind: str) -> Decision:
    """Kind of network."""
    if wanted["architecture"] != AUTO:
        return Decision(kind, GIVEN)
    return Decision(kind, "the kind that learnt most from few cases in the same time, see docs/training.md")


def _stem(wanted: dict[str, Any], kind: str, spacing_mm: list[float], device: Device) -> Decision:
    """Factors along x, y, z from the voxels to the first level."""
    if wanted["stem"] != AUTO:
        return Decision(wanted["stem"], GIVEN)
    if device.on_gpu or not KINDS[kind].stem:
        return Decision([1, 1, 1], f"the first level has all voxels: made for {device.name}, a {kind}")
    stem = [2 if mm < MUCH_COARSER * min(spacing_mm) else 1 for mm in spacing_mm]
    return Decision(stem, "a first level of half the resolution takes a tenth of the time: made for a processor")


def _channels(wanted: dict[str, Any], levels: int, device: Device) -> Decision:
    """Features of each level."""
    if wanted["channels"] != AUTO:
        return Decision(wanted["channels"], GIVEN)
    first = device.features
    values = [min(MOST_FEATURES, first * 2**level) for level in range(levels)]
    reason = f"{first} features, doubled at each level up to {MOST_FEATURES}, in as many levels as the patch allows"
    return Decision(values, f"{reason}: made for {device.name}")


def _strides(
    wanted: dict[str, Any],
    kind: str,
    spacing_mm: list[float],
    stem: list[int],
    patch: list[float] | None,
    levels: int | None,
) -> Decision:
    """Strides from each level to the next."""
    if wanted["strides"] != AUTO:
        return Decision(wanted["strides"], GIVEN)
    first_mm = [mm * factor for mm, factor in zip(spacing_mm, stem, strict=True)]
    first = patch and [size / factor for size, factor in zip(patch, stem, strict=True)]
    planned = plan_strides(first_mm, first, levels)
    if KINDS[kind].even_strides:
        return Decision([[2, 2, 2]] * ((levels - 1) if levels else len(planned)), f"a {kind} halves all axes")
    return Decision(
        [list(stride) for stride in planned],
        "an axis is halved unless its voxels are twice as long as the shortest or too few",
    )


def _kernels(wanted: dict[str, Any], kind: str, spacing_mm: list[float], strides: list[list[int]]) -> Decision:
    """Kernel sizes of the convolutions of each level; `strides` begin with the stem."""
    if wanted["kernel_sizes"] != AUTO:
        return Decision(wanted["kernel_sizes"], GIVEN)
    if not KINDS[kind].kernels_vary:
        return Decision([[3, 3, 3]] * len(strides), f"a {kind} has one kernel size")
    first_mm = [mm * factor for mm, factor in zip(spacing_mm, strides[0], strict=True)]
    kernels = [list(kernel) for kernel in plan_kernels(first_mm, strides[1:])]
    return Decision(kernels, "3, but 1 along an axis whose voxels are still twice as long as the shortest")


def _check_levels(levels: int, kind: str, patch: list[float] | None) -> None:
    """Raise ConfigError when there are too few levels for a kind of network."""
    fewest = KINDS[kind].fewest_levels
    if levels < fewest:
        size = [round(length) for length in patch or []]
        raise ConfigError(
            f"patches of about {size} voxels allow {levels} levels of a network, and a {kind} needs {fewest}; give a "
            "larger plan.patch_size or a smaller plan.spacing_mm"
        )


def _check_patch(patch: list[int], multiple: tuple[int, ...], channels: list[int], strides: list[list[int]]) -> None:
    """Raise ConfigError when a given patch does not fit the levels."""
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
    """Patch size in multiples: the median region, shrunk along its longest side to at most `most_voxels`."""
    factors = np.array(multiple)
    smallest = 2 * factors
    blocks = np.array([whole_up(count) for count in size / factors])
    patch = np.maximum(blocks * factors, smallest)
    while patch.prod() > most_voxels and (patch > smallest).any():
        axis = np.where(patch > smallest, patch, 0).argmax()
        patch[axis] -= factors[axis]
    reason = f"the median region of {size.round().astype(int).tolist()} voxels, shrunk to what the device can do"
    return Decision([int(value) for value in patch], reason)


def _voxels(channels: list[int] | str, stem: list[int], device: Device) -> float:
    """Number of patch voxels of a training step that fit the memory limit."""
    features = device.features if channels == AUTO else max(int(channels[0]), FEWEST_FEATURES)
    return device.memory_gib.value * 2**30 * float(np.prod(stem)) / (STEP_BYTES * features)


def _batch(wanted: dict[str, Any], patch: list[int], voxels: float, device: Device) -> Decision:
    """Number of patches of a step."""
    if wanted["batch_size"] != AUTO:
        return Decision(wanted["batch_size"], GIVEN)
    fewest, most = BATCH_SIZES
    if not device.on_gpu:
        return Decision(fewest, "more steps are worth more than larger ones: made for a processor")
    fits, busy = (int(count // np.prod(patch)) for count in (voxels, STEP_VOXELS))
    size = min(most, max(fewest, min(fits, busy)))
    why = f"{fits} patches fit the memory limit, {busy} keep a GPU busy; {fewest} to {most} are allowed"
    shared = whole_up(size / device.gpus) * device.gpus
    return Decision(shared, why if shared == size else f"{why}; the same number for each of {device.gpus} GPUs")
