"""Levels of a network, their strides and their kernels, from the patch and the voxel size by nnU-Net's rules.

Isensee et al., Nature Methods 2021, supplementary note 2: an axis is halved while the other axes are not much finer and
while it has enough voxels; a kernel is wider than 1 along an axis only if that axis is not much coarser than the finest
one. This module is loaded with the config, so it imports nothing that costs time.
"""

import math
from collections.abc import Sequence

SMALLEST_MAP = 4  # smallest number of voxels along an axis after halving
MUCH_COARSER = 2.0
MOST_LEVELS = 6

Axes = tuple[int, int, int]


def plan_strides(spacing_mm: Sequence[float], patch: Sequence[float] | None, levels: int | None) -> list[Axes]:
    """Strides from each level to the next, finest level first, in the axis order of `spacing_mm`.

    Without `patch`, as before a patch is chosen, the number of voxels sets no limit. Without `levels` the patch
    determines their number, at most `MOST_LEVELS`. The list is shorter than `levels` − 1 if the patch is too small.
    """
    spacing, size = list(spacing_mm), list(patch or [math.inf] * 3)
    strides: list[Axes] = []
    while len(strides) < (levels or MOST_LEVELS) - 1:
        divisible = [voxels >= 2 * SMALLEST_MAP for voxels in size]
        if not any(divisible):
            break
        finest = min(mm for mm, able in zip(spacing, divisible, strict=True) if able)
        x, y, z = (2 if able and mm < MUCH_COARSER * finest else 1 for mm, able in zip(spacing, divisible, strict=True))
        strides.append((x, y, z))
        spacing = [mm * factor for mm, factor in zip(spacing, strides[-1], strict=True)]
        size = [voxels / factor for voxels, factor in zip(size, strides[-1], strict=True)]
    return strides


def plan_kernels(spacing_mm: Sequence[float], strides: Sequence[Sequence[int]]) -> list[Axes]:
    """Kernel size of each level: 1 along an axis that is still much coarser than the finest axis, else 3."""
    spacing, kernels = list(spacing_mm), []
    for stride in [(1, 1, 1), *strides]:
        spacing = [mm * factor for mm, factor in zip(spacing, stride, strict=True)]
        x, y, z = (3 if mm < MUCH_COARSER * min(spacing) else 1 for mm in spacing)
        kernels.append((x, y, z))
    return kernels


def size_multiple(strides: Sequence[Sequence[int]]) -> Axes:
    """Factors along each axis of which patch sizes must be multiples: the products of the strides."""
    x, y, z = (math.prod(stride[axis] for stride in strides) for axis in range(3))
    return x, y, z
