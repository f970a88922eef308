"""Slices between planes of outlines: where structures were outlined on every second or third slice, and where not."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import find_objects, label

from ctseg.masks.polygon_fill import between

WIDEST_GAP = 1.5  # of the usual distance of planes: a wider one was left out on purpose
ROUNDING = 0.05  # in slices, of the distance of planes
REACH = 30  # slices: planes that lie farther apart do not belong together
# What two areas must share for slices between them to be filled on which other parts of the structure are outlined.
SURE_PIXELS, SURE_OVERLAP = 8, 0.3

Painted = tuple[int, tuple[slice, slice], np.ndarray]  # a slice, a box in it, and the bool image of the box


@dataclass
class Area:
    """A connected area of a plane: its depth in slices, its box, and the bool image of the box.

    `above` and `below` are the nearest areas that overlap it; `joined` are the sides on which it goes on to them.
    """

    depth: float
    box_yx: tuple[slice, slice]
    image: np.ndarray
    above: list["Area"] = field(default_factory=list)
    below: list["Area"] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)

    def gap(self, side: str) -> float | None:
        """The distance to the nearest area on a side, None where there is none."""
        found = getattr(self, side)
        return abs(found[0].depth - self.depth) if found else None

    @property
    def outdone(self) -> bool:
        """Whether an area that overlaps this one lies nearer to the same slice."""
        number = nearest_slice(self.depth)
        return any(
            nearest_slice(other.depth) == number
            and (abs(other.depth - number), -other.depth) < (abs(self.depth - number), -self.depth)
            for other in (*self.above, *self.below)
        )


def nearest_slice(depth: float) -> int:
    """The number of the slice that is nearest to a depth; halfway between two it is the upper one, to a thousandth."""
    return int(np.floor(depth + 0.5 + 1e-3))


def areas_of(depth: float, image: np.ndarray, corner_yx: tuple[int, int]) -> list[Area]:
    """The connected areas of a plane, whose image begins at a corner."""
    numbers, _ = label(image)
    found = []
    for number, (rows, columns) in enumerate(find_objects(numbers), start=1):
        y, x = corner_yx
        box = slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)
        found.append(Area(depth, box, numbers[rows, columns] == number))
    return found


def link(planes: Sequence[list[Area]]) -> None:
    """Tell the areas of a column, plane by plane and rising, which are nearest above and below them."""
    for index, plane in enumerate(planes):
        for area in plane:
            for other in filter(None, planes[index + 1 :]):
                if other[0].depth - area.depth > REACH:
                    break
                area.above = [above for above in other if _shared(area, above)]
                if area.above:
                    break
            for above in area.above:
                # Of all areas that have it as the nearest above, the nearest one counts.
                if not above.below or area.depth > above.below[0].depth:
                    above.below = [area]
                elif area.depth == above.below[0].depth:
                    above.below.append(area)


def filled(areas: Sequence[Area]) -> Iterator[Painted]:
    """What lies on slices that no plane is nearest to: between planes of usual distance, and at the ends of structures.

    Half of the usual distance is filled beyond the first and the last plane; a gap that is wider than usual stays.
    """
    drawn = {nearest_slice(area.depth) for area in areas}
    gaps = [area.gap("above") for area in areas]
    known = sorted(gap for gap in gaps if gap is not None)
    pairs: dict[tuple[float, float], list[tuple[Area, Area]]] = defaultdict(list)
    for area in areas:
        for above in area.above:
            if _belongs(area, above, drawn, known):
                area.joined.add("above")
                above.joined.add("below")
                pairs[area.depth, above.depth].append((area, above))
    for (low, high), joined in pairs.items():
        yield from _between(low, high, joined)
    ends = sorted(gap for area in areas if "above" in area.joined and (gap := area.gap("above")))
    for area in areas:
        yield from _beyond(area, drawn, _median(ends))


def _belongs(area: Area, above: Area, drawn: set[int], known: list[float]) -> bool:
    """Whether the slices between two areas are part of the structure."""
    gap = above.depth - area.depth
    around = _around(area, "below") + _around(above, "above")
    if gap > WIDEST_GAP * _median(sorted(around) or _without(known, gap)):
        return False
    inside = range(nearest_slice(area.depth) + 1, nearest_slice(above.depth))
    if drawn.isdisjoint(inside):
        return True
    shared = _shared(area, above)
    smallest, both = min(area.image.sum(), above.image.sum()), area.image.sum() + above.image.sum() - shared
    return bool(around) and smallest >= SURE_PIXELS and shared >= SURE_OVERLAP * both


def _without(gaps: list[float], gap: float) -> list[float]:
    """All gaps but one that is as wide as `gap`."""
    place = int(np.searchsorted(gaps, gap))
    return gaps[:place] + gaps[place + 1 :]


def _around(area: Area, side: str, joined: bool = False) -> list[float]:
    """The distances to the next two areas on a side, as far as there are some, or as far as they are `joined`."""
    found: list[float] = []
    for _ in range(2):
        gap = area.gap(side)
        if gap is None or (joined and side not in area.joined):
            break
        found.append(gap)
        area = getattr(area, side)[0]
    return found


def _median(gaps: list[float]) -> float:
    """The median of sorted distances in slices, at least 1."""
    return max(1.0, float(np.median(gaps))) if gaps else 1.0


def _between(low: float, high: float, joined: list[tuple[Area, Area]]) -> Iterator[Painted]:
    """The slices between two planes by interpolation, for areas that hang together."""
    slices = range(nearest_slice(low) + 1, nearest_slice(high))
    if not slices:
        return
    for group in _groups(joined):
        lower = {id(area): area for area, _ in group}.values()
        upper = {id(area): area for _, area in group}.values()
        box = _union([area.box_yx for area in (*lower, *upper)])
        first, second = (_drawn(list(part), box) for part in (lower, upper))
        for number in slices:
            yield number, box, between(first, second, (number - low) / (high - low))


def _groups(joined: list[tuple[Area, Area]]) -> list[list[tuple[Area, Area]]]:
    """Pairs that share an area, directly or over others."""
    groups: list[list[tuple[Area, Area]]] = []
    for pair in joined:
        touching = [group for group in groups if any(pair[0] is low or pair[1] is high for low, high in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([pair, *(other for group in touching for other in group)])
    return groups


def _beyond(area: Area, drawn: set[int], usual: float) -> Iterator[Painted]:
    """The slices beyond an area that ends a structure, up to half of the distance of its planes.

    Slices on which other parts of the structure are outlined need two distances of planes that agree.
    """
    nearest = nearest_slice(area.depth)
    for side, other, step in (("above", "below", 1), ("below", "above", -1)):
        if side in area.joined:
            continue
        own = _around(area, other, joined=True)
        half = (_median(sorted(own)) if own else usual) / 2 + ROUNDING
        sure = min(own) / 2 + ROUNDING if len(own) > 1 and area.image.sum() >= SURE_PIXELS else 0.0
        number = nearest + step
        while abs(number - area.depth) <= (sure if number in drawn else half):
            yield number, area.box_yx, area.image
            number += step


def _shared(first: Area, second: Area) -> int:
    """How many pixels two areas share."""
    box = [
        slice(max(one.start, two.start), min(one.stop, two.stop))
        for one, two in zip(first.box_yx, second.box_yx, strict=True)
    ]
    if any(part.start >= part.stop for part in box):
        return 0
    return int(np.count_nonzero(_cut(first, box) & _cut(second, box)))


def _cut(area: Area, box: Sequence[slice]) -> np.ndarray:
    """The part of an area's image in a box inside its own."""
    return area.image[_inside(box, area.box_yx)]


def _inside(box: Sequence[slice], around: Sequence[slice]) -> tuple[slice, ...]:
    """A box as it lies in another one around it."""
    return tuple(slice(own.start - part.start, own.stop - part.start) for own, part in zip(box, around, strict=True))


def _union(boxes: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """The smallest box around some."""
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(part.start for part in rows), max(part.stop for part in rows)),
        slice(min(part.start for part in columns), max(part.stop for part in columns)),
    )


def _drawn(areas: Sequence[Area], box: tuple[slice, slice]) -> np.ndarray:
    """The bool image of a box with some areas in it."""
    image = np.zeros([part.stop - part.start for part in box], dtype=bool)
    for area in areas:
        image[_inside(area.box_yx, box)] |= area.image
    return image
