"""Distances of slices along their normal: the usual distance, gaps, and slices at one place.

Depths and distances are in mm; depths are sorted unless the docstring says otherwise.
"""

import numpy as np

SAME_POSITION_MM = 0.01
POSITION_TOLERANCE_MM = 0.06  # positions that were rounded to 0.1 mm are up to 0.05 mm off
USUAL_SHARE = 0.25  # of all distances that must be (nearly) equal to be a usual distance
NEAR_SHARE = 0.4  # of a wide distance; a smaller distance that is repeated is no slice distance
TOUCHING_SHARE = 0.15  # of a wide distance; a smaller distance is no slice distance, even if it is the only one
MOST_NEAR_MM = 2.5  # slices farther apart show other anatomy
ALIKE_SHARE = 0.96  # of the widest distance; larger distances differ from it only by rounding and drift
MOST_ACQUISITIONS = 4  # largest number of interleaved acquisitions
MOST_AT_ONE_PLACE = 3  # slices; the finer part of a scan has longer runs of small distances


def usual_step_mm(steps_mm: np.ndarray) -> float:
    """The smallest distance that a quarter of all neighbours have (to 5 %), or else the median."""
    for step in np.sort(steps_mm):
        alike = np.abs(steps_mm - step) <= 0.05 * step
        if alike.mean() >= USUAL_SHARE:
            return float(np.median(steps_mm[alike]))
    return float(np.median(steps_mm))


def off_even_mm(steps_mm: np.ndarray) -> tuple[float, float]:
    """Largest deviation of slices from evenly spaced places, and the largest deviation allowed, both in mm."""
    depths_mm = np.concatenate([[0.0], np.cumsum(steps_mm)])
    index = np.arange(len(depths_mm)) - (len(depths_mm) - 1) / 2
    step = index @ depths_mm / (index @ index)
    deviation_mm = np.abs(depths_mm - depths_mm.mean() - index * step)
    return float(deviation_mm.max()), max(POSITION_TOLERANCE_MM, 0.01 * float(step))


def gaps(steps_mm: np.ndarray) -> list[tuple[int, float]]:
    """Index and size of each distance that is not the usual one; none if all places are even to 1 % or 0.06 mm."""
    off_mm, allowed_mm = off_even_mm(steps_mm)
    if off_mm <= allowed_mm:
        return []
    usual = usual_step_mm(steps_mm)
    unusual = np.flatnonzero(np.abs(steps_mm - usual) > max(2 * POSITION_TOLERANCE_MM, 0.02 * usual))
    if not unusual.size:  # each distance is a little off, and the deviations add up
        unusual = np.array([np.argmax(np.abs(steps_mm - usual))])
    return [(int(place), float(steps_mm[place])) for place in unusual]


def near_mm(depths_mm: np.ndarray) -> float:
    """The largest distance at which neighbours count as one place, without interpolation between them.

    Depths are in any order. Two acquisitions of one range, slightly shifted, cause small distances between large ones,
    again and again. A finer part of a scan causes a run of small distances, and the end of a block a single one; both
    are slice distances.
    """
    steps_mm = np.diff(np.sort(depths_mm))
    wide = steps_mm[steps_mm > SAME_POSITION_MM]
    if wide.size < 2:
        return SAME_POSITION_MM
    if repeated_mm := _repeated_mm(wide):
        return repeated_mm
    typical_mm = float(np.percentile(wide, 75, method="higher"))
    narrow_mm = min(NEAR_SHARE * typical_mm, MOST_NEAR_MM)
    narrow = wide < narrow_mm
    edges = np.flatnonzero(np.diff(np.concatenate([[False], narrow, [False]]).astype(int)))
    runs = [(start, stop) for start, stop in edges.reshape(-1, 2) if stop - start < MOST_AT_ONE_PLACE]
    touching = any(wide[start:stop].max() < TOUCHING_SHARE * typical_mm for start, stop in runs)
    return narrow_mm if len(runs) > 1 or touching else SAME_POSITION_MM


def _repeated_mm(steps_mm: np.ndarray) -> float:
    """The largest distance within a group of slices if uneven distances repeat regularly, else 0.

    Two to four interleaved, evenly spaced acquisitions cause this pattern; a group has one slice of each.
    """
    depths_mm = np.concatenate([[0.0], np.cumsum(steps_mm)])
    if not gaps(steps_mm):
        return 0.0
    for count in range(2, MOST_ACQUISITIONS + 1):
        each = [depths_mm[first::count] for first in range(count)]
        if len(each[-1]) > 2 and not any(gaps(np.diff(depths)) for depths in each):
            medians = [float(np.median(steps_mm[place::count])) for place in range(count)]
            if min(medians) < ALIKE_SHARE * max(medians):
                within = np.delete(steps_mm, np.s_[int(np.argmax(medians)) :: count])
                return float(within.max()) * (1 + 1e-6)
    return 0.0


def places_mm(depths_mm: np.ndarray, apart_mm: float = SAME_POSITION_MM) -> np.ndarray:
    """The first of each run of depths with neighbours at most `apart_mm` apart; depths in any order."""
    ordered = np.sort(depths_mm)
    return ordered[np.concatenate([[True], np.diff(ordered) > apart_mm])]
