"""Whether the values of a scan are Hounsfield units, judged by their distribution.

Air lies near −1000 HU, fat near −100, soft tissue at 0 to 100, bone up to 3000. A single voxel says nothing: padding
lies below air, metal above bone. A crop need not hold all of these, so that only what no scan in HU shows is told.
"""

from typing import Any

import numpy as np

from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import AIR_HU

HIGHEST_TISSUE_HU = 3071  # of 12 bits from −1024 on
LEAST_BODY_HU = -300  # that something in a scan reaches: a crop may hold air alone
OFFSET = 1024  # what scanners add to HU to store them without a sign
SAMPLE_VOXELS = 2**14  # of a slice that are counted
SAMPLE_OF_PAIR = 2**12  # of a slice that are compared with the next one
FEWEST_VOXELS = 256  # of a slice, from which on its distribution says something
DENSE_SHARE = 0.05  # above the highest tissue, or at the border; metal is less, and seldom at the border
END_SHARE, END_VOXELS = 0.001, 50  # at exactly the highest or lowest value: the tails of a distribution are thin
LOWEST_END_HU, HIGHEST_END_HU = -900, 2000  # ends beyond these are those of a scan
TAIL_HU, TAIL_SHARE = 100, 0.05  # below the upper end: as much of what lies at the end as must lie there
JUMP_HU, JUMP_SPREAD_HU, JUMP_SHARE = 500, 250, 0.8  # that nearly all voxels of a slice differ by from the next one


def hu_facts(voxels_zyx: np.ndarray) -> dict[str, Any]:
    """Range of int16 values, and what speaks against HU: None or empty where nothing does.

    `hu_offset`: how much too high all values are, too low where it is negative. `above_tissue`: share of the voxels
    above 3071 HU. `windowed`: the ends at which values were cut, None for an open end, and the share of voxels there.
    `jumps`: slices, from 1 on, after which all values change by the same amount.
    """
    lowest, highest, counts, border = _counted(voxels_zyx)
    offset = OFFSET if _shifted(counts) else -OFFSET if _lowered(counts, highest) else None
    return {
        "hu_min": lowest,
        "hu_max": highest,
        "hu_offset": offset,
        "above_tissue": _above_tissue(counts, border),
        # Air that scanners cut off at −1024 HU lies at one value, wherever it was moved to.
        "windowed": None if offset else _windowed(counts, lowest, highest),
        "jumps": _jumps(voxels_zyx),
    }


def _counted(voxels_zyx: np.ndarray) -> tuple[int, int, np.ndarray, np.ndarray]:
    """The lowest and highest value, and how often each from −1024 on comes in a sample, and at the slices' border."""
    step = _stride(voxels_zyx.shape, SAMPLE_VOXELS)
    extremes = []
    counts, border = (np.zeros(2**15 - AIR_HU, np.int64) for _ in range(2))
    for part in mapped_arrays.by_slab(voxels_zyx):
        slab = voxels_zyx[part]
        extremes += [slab.min(), slab.max()]
        edges = slab[:, [0, -1]], slab[..., [0, -1]]
        for tally, values in ((counts, slab[:, ::step, ::step]), *((border, edge) for edge in edges)):
            above = np.maximum(values, AIR_HU).ravel().astype(np.intp) - AIR_HU
            tally += np.bincount(above, minlength=tally.size)
    return int(min(extremes)), int(max(extremes)), counts, border


def _stride(shape_zyx: tuple[int, ...], wanted: int) -> int:
    """The step along rows and columns that leaves about so many voxels of a slice."""
    return max(1, int(np.sqrt(shape_zyx[1] * shape_zyx[2] / wanted)))


def _share(counts: np.ndarray, low_hu: int, high_hu: int) -> float:
    """The share of voxels from `low_hu` to `high_hu`, both included."""
    return float(counts[low_hu - AIR_HU : high_hu - AIR_HU + 1].sum() / counts.sum())


def _shifted(counts: np.ndarray) -> bool:
    """Whether soft tissue makes a peak near 1054 instead of 30 HU, and nothing lies where air and lung should.

    Bone and contrast medium lie near 1054 HU, too, but as much of them beside it, and not without any air.
    """
    peak, beside = _share(counts, 964, 1144), _share(counts, 1194, 1374)
    return (
        peak > 0.05 and peak > 3 * beside and _share(counts, -1020, -900) < 0.01 and _share(counts, -899, -200) < 0.02
    )


def _lowered(counts: np.ndarray, highest: int) -> bool:
    """Whether soft tissue makes a peak near −994 instead of 30 HU, as where the intercept was subtracted twice.

    Air lies there, too; but then lungs are less dense than a body or something of the body lies around 0 HU.
    """
    peak, lung, body = _share(counts, -1020, -904), _share(counts, -900, -600), _share(counts, -150, 150)
    return highest > LEAST_BODY_HU and peak > 0.1 and lung < peak and body < 0.01


def _above_tissue(counts: np.ndarray, border: np.ndarray) -> float | None:
    """The share of voxels that are denser than any tissue, where there are too many for metal."""
    shares = [_share(each, HIGHEST_TISSUE_HU + 1, 2**15 - 1) for each in (counts, border)]
    return round(shares[0], 4) if max(shares) > DENSE_SHARE else None


def _windowed(counts: np.ndarray, lowest: int, highest: int) -> dict[str, Any] | None:
    """The ends at which the values were cut: many voxels have exactly the value, and at the upper end not these alone.

    Something dense and even, an implant or the lesion of a phantom, also makes a peak at the highest value.
    """
    at_low, at_high = (int(counts[max(value, AIR_HU) - AIR_HU]) for value in (lowest, highest))
    many = max(END_VOXELS, END_SHARE * counts.sum())
    low = lowest if at_low >= many and lowest > LOWEST_END_HU else None
    below = int(counts[max(0, highest - AIR_HU - TAIL_HU) : highest - AIR_HU].sum())
    tail = low is not None or below > TAIL_SHARE * at_high
    high = highest if at_high >= many and highest < HIGHEST_END_HU and tail else None
    if low is None and high is None:
        return None
    at_ends = (at_low if low is not None else 0) + (at_high if high is not None else 0)
    return {"low": low, "high": high, "share": round(float(at_ends / counts.sum()), 4)}


def _jumps(voxels_zyx: np.ndarray) -> list[dict[str, int]]:
    """Slices after which nearly all values change by the same amount, as where one lacks its rescaling."""
    step = _stride(voxels_zyx.shape, SAMPLE_OF_PAIR)
    parts = [voxels_zyx[part][:, ::step, ::step].astype(np.int32) for part in mapped_arrays.by_slab(voxels_zyx)]
    sample = np.concatenate(parts).reshape(len(voxels_zyx), -1)
    if sample.shape[1] < FEWEST_VOXELS:
        return []
    found = []
    for place, change in enumerate(np.diff(sample, axis=0), start=1):
        by = float(np.median(change))
        blank = np.ptp(sample[place - 1]) == 0 or np.ptp(sample[place]) == 0
        if abs(by) > JUMP_HU and not blank and (np.abs(change - by) < JUMP_SPREAD_HU).mean() > JUMP_SHARE:
            found.append({"after_slice": place, "hu": round(by)})
    return found
