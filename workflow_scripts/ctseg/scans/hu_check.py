"""Checks whether the values of a scan are Hounsfield units, by their distribution.

Air is near −1000 HU, fat near −100, soft tissue at 0 to 100, bone up to 3000. A single voxel proves nothing: padding is
below air, metal above bone. A crop may lack some of these tissues, so only patterns that no scan in HU has are
reported.
"""

from typing import Any

import numpy as np

from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import AIR_HU

HIGHEST_TISSUE_HU = 3071  # highest value of 12 bits that begin at −1024
LEAST_BODY_HU = -300  # exceeded in a scan with tissue; a crop may contain only air
OFFSET = 1024  # added to HU by scanners to store them without a sign
SAMPLE_VOXELS = 2**14  # voxels of a slice that are counted
SAMPLE_OF_PAIR = 2**12  # voxels of a slice that are compared with the next one
FEWEST_VOXELS = 256  # least voxels of a slice for a comparison with the next one
DENSE_SHARE = 0.05  # of all voxels, or at the border, above the highest tissue; metal is less, seldom at the border
END_SHARE, END_VOXELS = 0.001, 50  # least share and number at exactly the highest or lowest value; tails are thin
LOWEST_END_HU, HIGHEST_END_HU = -900, 2000  # ends beyond these are normal in a scan
TAIL_HU, TAIL_SHARE = 100, 0.05  # range below the upper end; least count there relative to the count at the end
JUMP_HU, JUMP_SPREAD_HU, JUMP_SHARE = 500, 250, 0.8  # least change to the next slice, its spread, share of voxels


def hu_facts(voxels_zyx: np.ndarray) -> dict[str, Any]:
    """Range of int16 values `[z, y, x]`, and patterns that contradict HU: None or empty if there are none.

    `hu_offset`: offset of all values in HU, positive if they are too high. `above_tissue`: share of the voxels above
    3071 HU. `windowed`: the ends at which values were cut, None for an open end, and the share of voxels there.
    `jumps`: slices, from 1 on, after which all values change by the same amount.
    """
    lowest, highest, counts, border = _counted(voxels_zyx)
    offset = OFFSET if _shifted(counts) else -OFFSET if _lowered(counts, highest) else None
    return {
        "hu_min": lowest,
        "hu_max": highest,
        "hu_offset": offset,
        "above_tissue": _above_tissue(counts, border),
        # Air cut off at −1024 HU by scanners has one value, also after an offset, and is no window.
        "windowed": None if offset else _windowed(counts, lowest, highest),
        "jumps": _jumps(voxels_zyx),
    }


def _counted(voxels_zyx: np.ndarray) -> tuple[int, int, np.ndarray, np.ndarray]:
    """Lowest and highest value, and counts of each HU from −1024 on, in a sample and at the slices' borders."""
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
    """The step along rows and columns that leaves about `wanted` voxels of a slice."""
    return max(1, int(np.sqrt(shape_zyx[1] * shape_zyx[2] / wanted)))


def _share(counts: np.ndarray, low_hu: int, high_hu: int) -> float:
    """The share of voxels from `low_hu` to `high_hu`, both included."""
    return float(counts[low_hu - AIR_HU : high_hu - AIR_HU + 1].sum() / counts.sum())


def _shifted(counts: np.ndarray) -> bool:
    """Whether soft tissue has a peak near 1054 instead of 30 HU, and almost no voxel has the HU of air and lung.

    Bone and contrast medium also have values near 1054 HU, but then similar values are as frequent, and air is present.
    """
    peak, beside = _share(counts, 964, 1144), _share(counts, 1194, 1374)
    return (
        peak > 0.05 and peak > 3 * beside and _share(counts, -1020, -900) < 0.01 and _share(counts, -899, -200) < 0.02
    )


def _lowered(counts: np.ndarray, highest: int) -> bool:
    """Whether soft tissue has a peak near −994 instead of 30 HU, as after applying the intercept twice.

    Air also has this value, but then values of lung (−900 to −600 HU) are more frequent, or some values are near 0 HU.
    """
    peak, lung, body = _share(counts, -1020, -904), _share(counts, -900, -600), _share(counts, -150, 150)
    return highest > LEAST_BODY_HU and peak > 0.1 and lung < peak and body < 0.01


def _above_tissue(counts: np.ndarray, border: np.ndarray) -> float | None:
    """The share of voxels that are denser than any tissue; None if metal can explain them."""
    shares = [_share(each, HIGHEST_TISSUE_HU + 1, 2**15 - 1) for each in (counts, border)]
    return round(shares[0], 4) if max(shares) > DENSE_SHARE else None


def _windowed(counts: np.ndarray, lowest: int, highest: int) -> dict[str, Any] | None:
    """The ends at which the values were cut: many voxels have exactly this value, at the upper end not these alone.

    Something dense and even, an implant or the lesion of a phantom, also causes a peak at the highest value. The upper
    end therefore counts only if values just below it are frequent, or the lower end was cut.
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
    """Slices after which nearly all values change by the same amount, for example if one slice lacks its rescaling."""
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
