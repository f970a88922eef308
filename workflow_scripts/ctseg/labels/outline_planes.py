"""Group outlines by the planes in which they were drawn; depths in one plane may differ slightly."""

from collections.abc import Sequence

import numpy as np

from ctseg.labels.outline_areas import Outline

SAME_PLANE = 0.03  # in slices: depths up to this apart are always one plane
BESIDE_PLANE = 0.35  # share of the plane distance nearby: depths up to this apart are one plane
ALONE = 0.4  # plane distance in slices to assume without other planes nearby


def columns(outlines: Sequence[Outline]) -> list[list[Outline]]:
    """Groups of outlines with boxes that overlap in x and y, directly or through others.

    Separate columns, because structures side by side may have been drawn with different plane distances.
    """
    boxes = np.stack([outline.box for outline in outlines])
    waiting = np.arange(len(outlines))  # in no column yet
    groups = []
    while waiting.size:
        members, front, waiting = [int(waiting[0])], [int(waiting[0])], waiting[1:]
        # One outline after the other with all that wait: a table of all pairs would need gigabytes for 15,000 outlines.
        while front and waiting.size:
            one, others = boxes[front.pop()], boxes[waiting]
            meet = ((others[:, :2] <= one[2:]) & (others[:, 2:] >= one[:2])).all(axis=1)
            front += waiting[meet].tolist()
            members += waiting[meet].tolist()
            waiting = waiting[~meet]
        groups.append([outlines[place] for place in sorted(members)])
    return groups


def planes(column: Sequence[Outline]) -> list[list[Outline]]:
    """Outlines of a column by plane, in increasing depth; small offsets, as of a hole, do not start a new plane."""
    ordered = sorted(column, key=lambda outline: outline.depth)
    depths = np.array([outline.depth for outline in ordered])
    found = [ordered[:1]]
    for outline, apart in zip(ordered[1:], _apart(depths), strict=True):
        if apart:
            found.append([])
        found[-1].append(outline)
    return found


def _apart(depths: np.ndarray) -> list[bool]:
    """Whether each of the sorted depths, except the first, is in another plane than the depth before."""
    gaps = np.diff(depths)
    places = np.flatnonzero(gaps > SAME_PLANE)
    wide = gaps[places]
    apart = dict.fromkeys(range(len(gaps)), False)
    for index, place in enumerate(places.tolist()):
        around = sorted([*wide[max(0, index - 2) : index], *wide[index + 1 : index + 3]])
        usual = min(1.0, around[len(around) // 2]) if around else ALONE
        apart[place] = wide[index] > BESIDE_PLANE * usual
    return list(apart.values())
