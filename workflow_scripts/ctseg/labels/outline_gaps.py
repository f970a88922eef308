"""Fill slices between planes of outlines, for structures outlined only on every second or third slice."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import find_objects, label

from ctseg.labels.outline_areas import Patch, inside_box, shared_pixels
from ctseg.masks.polygon_fill import between

WIDEST_GAP = 1.5  # multiple of the usual plane distance; a wider gap was left on purpose
ROUNDING = 0.05  # rounding of plane distances, in slices
HALFWAY = 0.009  # rounding of a depth halfway between two slices, in slices: 0.01 mm between slices of 1.2 mm
REACH = 30  # slices: largest distance of planes that belong together
# Least pixels of both areas, and least IoU, to fill slices on which other parts of the structure are outlined.
SURE_PIXELS, SURE_OVERLAP = 8, 0.3

Painted = tuple[int, tuple[slice, slice], np.ndarray]  # slice index, box (y, x) in the slice, bool image of the box


@dataclass
class Area(Patch):
    """A connected area of a plane, with the depth of the plane (fractional z index).

    `above` and `below` are the nearest areas that overlap it. `joined` has the sides on which it is connected to them:
    the slices between belong to the structure.
    """

    depth: float
    above: list["Area"] = field(default_factory=list)
    below: list["Area"] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)

    def gap(self, side: str) -> float | None:
        """Distance in slices to the nearest area on a side ("above", "below"); None without one."""
        found = getattr(self, side)
        return abs(found[0].depth - self.depth) if found else None

    @property
    def outdone(self) -> bool:
        """Whether a linked area above or below is nearer to the same slice."""
        number = nearest_slice(self.depth)
        return any(
            nearest_slice(other.depth) == number
            and (abs(other.depth - number), -other.depth) < (abs(self.depth - number), -self.depth)
            for other in (*self.above, *self.below)
        )


def nearest_slice(depth: float) -> int:
    """Index of the slice nearest to a depth; halfway between two (to `HALFWAY`) the one with the larger index."""
    return int(np.floor(depth + 0.5 + HALFWAY))


def areas_of(depth: float, image: np.ndarray, corner_yx: tuple[int, int]) -> list[Area]:
    """Connected areas (4-neighbourhood) of the bool image `[y, x]` of a plane; `corner_yx` is its first pixel."""
    numbers, count = label(image)
    boxes = find_objects(numbers) if count else []  # it fails on an image of no pixels, of outlines beside the scan
    found = []
    for number, (rows, columns) in enumerate(boxes, start=1):
        y, x = corner_yx
        box = slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)
        found.append(Area(box, numbers[rows, columns] == number, depth))
    return found


def link(planes: Sequence[list[Area]]) -> None:
    """Set `above` and `below` of all areas of a column; the planes are in increasing depth."""
    for index, plane in enumerate(planes):
        for area in plane:
            for other in filter(None, planes[index + 1 :]):
                if other[0].depth - area.depth > REACH:
                    break
                area.above = [above for above in other if shared_pixels(area, above)]
                if area.above:
                    break
            for above in area.above:
                # Keep only the nearest of the areas below that are linked to it.
                if not above.below or area.depth > above.below[0].depth:
                    above.below = [area]
                elif area.depth == above.below[0].depth:
                    above.below.append(area)


def filled(areas: Sequence[Area]) -> Iterator[Painted]:
    """Images of the slices without an own plane: between planes of usual distance, and at the ends of structures.

    Half of the usual distance is filled beyond the first and the last plane, if planes are sparser than slices. A gap
    wider than usual stays empty.
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
    """Whether the slices between two linked areas are part of the structure."""
    gap = above.depth - area.depth
    around = _around(area, "below") + _around(above, "above")
    if gap > WIDEST_GAP * _median(sorted(around) or _without(known, gap)):
        return False
    inside = range(nearest_slice(area.depth) + 1, nearest_slice(above.depth))
    if drawn.isdisjoint(inside):
        return True
    shared = shared_pixels(area, above)
    smallest, both = min(area.image.sum(), above.image.sum()), area.image.sum() + above.image.sum() - shared
    return bool(around) and smallest >= SURE_PIXELS and shared >= SURE_OVERLAP * both


def _without(gaps: list[float], gap: float) -> list[float]:
    """The sorted gaps without one gap of the width `gap`."""
    place = int(np.searchsorted(gaps, gap))
    return gaps[:place] + gaps[place + 1 :]


def _around(area: Area, side: str, joined: bool = False) -> list[float]:
    """Up to two distances in slices on a side: to the next area, and on to its next; only joined ones if `joined`."""
    found: list[float] = []
    for _ in range(2):
        gap = area.gap(side)
        if gap is None or (joined and side not in area.joined):
            break
        found.append(gap)
        area = getattr(area, side)[0]
    return found


def _median(gaps: list[float]) -> float:
    """Median of distances in slices, at least 1; 1 without distances."""
    return max(1.0, float(np.median(gaps))) if gaps else 1.0


def _between(low: float, high: float, joined: list[tuple[Area, Area]]) -> Iterator[Painted]:
    """Interpolated slices between two planes, for each group of connected areas."""
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
    """Groups of pairs that share an area, directly or through other pairs."""
    groups: list[list[tuple[Area, Area]]] = []
    for pair in joined:
        touching = [group for group in groups if any(pair[0] is low or pair[1] is high for low, high in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([pair, *(other for group in touching for other in group)])
    return groups


def _beyond(area: Area, drawn: set[int], usual: float) -> Iterator[Painted]:
    """Slices beyond an area at an end of the structure, up to half of the distance of its planes.

    On slices on which other parts of the structure are outlined, the area must have two plane distances and at least
    `SURE_PIXELS` pixels; the smaller distance then sets the limit.
    """
    nearest = nearest_slice(area.depth)
    for side, other, step in (("above", "below", 1), ("below", "above", -1)):
        if side in area.joined:
            continue
        own = _around(area, other, joined=True)
        half = _half(_median(sorted(own)) if own else usual)
        sure = _half(min(own)) if len(own) > 1 and area.image.sum() >= SURE_PIXELS else 0.0
        number = nearest + step
        while abs(number - area.depth) <= (sure if number in drawn else half):
            yield number, area.box_yx, area.image
            number += step


def _half(distance: float) -> float:
    """Half of a distance of planes in slices; 0 up to one slice, since each plane then has the slice nearest to it.

    Without this exception, a plane halfway between two slices would fill both.
    """
    return distance / 2 + ROUNDING if distance > 1 + ROUNDING else 0.0


def _union(boxes: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """Smallest box around all boxes."""
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(part.start for part in rows), max(part.stop for part in rows)),
        slice(min(part.start for part in columns), max(part.stop for part in columns)),
    )


def _drawn(areas: Sequence[Area], box: tuple[slice, slice]) -> np.ndarray:
    """Bool image `[y, x]` of a box with the union of some areas."""
    image = np.zeros([part.stop - part.start for part in box], dtype=bool)
    for area in areas:
        image[inside_box(area.box_yx, box)] |= area.image
    return image
