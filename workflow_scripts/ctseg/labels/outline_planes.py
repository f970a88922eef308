"""Outlines by the planes that they were drawn in; those of one plane may lie a little beside each other."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components

from ctseg.labels.outline_areas import Outline

SAME_PLANE = 0.03  # in slices: planes that are nearer than this are one, however densely it was drawn
BESIDE_PLANE = 0.35  # of the distance of planes around: outlines that are nearer to a plane lie beside it
ALONE = 0.4  # in slices: the distance of planes where there are no others around


def columns(outlines: Sequence[Outline]) -> list[list[Outline]]:
    """Outlines by where they lie in x and y: those whose boxes overlap, directly or over others, are in one column.

    Structures side by side may have been drawn with other distances of planes.
    """
    boxes = np.stack([outline.box for outline in outlines])
    low, high = boxes[:, :2], boxes[:, 2:]
    meet = ((low[:, None] <= high[None]) & (high[:, None] >= low[None])).all(axis=-1)
    count, column_of = connected_components(meet, directed=False)
    groups: list[list[Outline]] = [[] for _ in range(count)]
    for outline, column in zip(outlines, column_of, strict=True):
        groups[column].append(outline)
    return groups


def planes(column: Sequence[Outline]) -> list[list[Outline]]:
    """The outlines of a column by plane, rising. A hole that lies beside the plane of what is around it is in it."""
    ordered = sorted(column, key=lambda outline: outline.depth)
    depths = np.array([outline.depth for outline in ordered])
    found = [ordered[:1]]
    for outline, apart in zip(ordered[1:], _apart(depths), strict=True):
        if apart:
            found.append([])
        found[-1].append(outline)
    return found


def _apart(depths: np.ndarray) -> list[bool]:
    """For each but the first of rising depths whether it is in another plane than the one before."""
    gaps = np.diff(depths)
    places = np.flatnonzero(gaps > SAME_PLANE)
    wide = gaps[places]
    apart = dict.fromkeys(range(len(gaps)), False)
    for index, place in enumerate(places.tolist()):
        around = sorted([*wide[max(0, index - 2) : index], *wide[index + 1 : index + 3]])
        usual = min(1.0, around[len(around) // 2]) if around else ALONE
        apart[place] = wide[index] > BESIDE_PLANE * usual
    return list(apart.values())
