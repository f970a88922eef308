"""How many levels a network has, and what each halves: from the patch and the voxel size, by nnU-Net's rules.

Isensee et al., Nature Methods 2021, supplementary note 2: an axis is halved while the other axes are not much finer and
while it has voxels left; a kernel spans an axis only once that axis is not much coarser than the finest one. Read with
the config, so it imports nothing that costs time.
"""

import math
from collections.abc import Sequence

SMALLEST_MAP = 4  # voxels along an axis, below which it is not halved any more
MUCH_COARSER = 2.0
MOST_LEVELS = 6

Axes = tuple[int, int, int]


def plan_strides(spacing_mm: Sequence[float], patch: Sequence[float] | None, levels: int | None) -> list[Axes]:
    """The stride from each level to the next, finest first, in the order of axes of `spacing_mm`.

    Without `patch` voxels never run out, as before a patch is chosen; without `levels` there are as many as the patch
    allows. May be shorter than `levels` − 1 where the patch is too small.
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
    """The kernel size of each level, 1 along an axis that is still much coarser than the finest and 3 otherwise."""
    spacing, kernels = list(spacing_mm), []
    for stride in [(1, 1, 1), *strides]:
        spacing = [mm * factor for mm, factor in zip(spacing, stride, strict=True)]
        x, y, z = (3 if mm < MUCH_COARSER * min(spacing) else 1 for mm in spacing)
        kernels.append((x, y, z))
    return kernels


def size_multiple(strides: Sequence[Sequence[int]]) -> Axes:
    """What the sizes of a patch must be multiples of."""
    x, y, z = (math.prod(stride[axis] for stride in strides) for axis in range(3))
    return x, y, z
