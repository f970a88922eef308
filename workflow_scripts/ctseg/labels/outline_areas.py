"""Pixels enclosed by the outlines of one plane, with holes, islands, overlapping and repeated outlines."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctseg.masks.polygon_fill import fill_even_odd

SAME_VOXELS = 0.05  # largest distance between two copies of one outline, which may be rounded differently
INSIDE_SHARE = 0.9  # least share of its pixels in another outline for a hole or an island
ALIKE = 0.8  # IoU from which two crossing outlines are one outline drawn twice


@dataclass(frozen=True)
class Outline:
    """A closed outline parallel to slices: `depth` is its z index, points are (n, 2) fractional y, x indices."""

    depth: float
    points_yx: np.ndarray

    @cached_property
    def box(self) -> np.ndarray:
        """Lowest y, x and highest y, x indices: (4,)."""
        return np.concatenate([self.points_yx.min(axis=0), self.points_yx.max(axis=0)])

    @cached_property
    def area(self) -> float:
        """Enclosed area in pixels."""
        return shoelace(self.points_yx)


@dataclass
class Patch:
    """A part of a plane: its box (y, x), and the bool image `[y, x]` of the box."""

    box_yx: tuple[slice, slice]
    image: np.ndarray


def shoelace(points_yx: np.ndarray) -> float:
    """Area of a closed polygon (n, 2), in the square of the points' unit."""
    with np.errstate(over="ignore", invalid="ignore"):  # coordinates in damaged files may be huge
        y, x = (points_yx - points_yx.mean(axis=0)).T
        return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2))


def distinct(outlines: Sequence[Outline]) -> list[Outline]:
    """The outlines of a plane without repeated ones; their direction, start and rounding may differ."""
    kept: list[Outline] = []
    boxes = np.zeros((len(outlines), 4))  # of the outlines in `kept`
    for outline in outlines:
        near = np.abs(boxes[: len(kept)] - outline.box).max(axis=1) <= 2 * SAME_VOXELS
        if not any(_same(outline, kept[place]) for place in np.flatnonzero(near)):
            boxes[len(kept)] = outline.box
            kept.append(outline)
    return kept


def plane_area(outlines: Sequence[Outline], shape_yx: tuple[int, int]) -> np.ndarray:
    """Bool image `[y, x]` of the pixels with centres inside the outlines of a plane.

    An outline inside of another one is a hole, an outline inside of a hole is an island; outlines that overlap
    otherwise are united. Each outline is filled separately by the even-odd rule, which is correct for keyhole contours.
    """
    if not _boxes_meet(outlines):
        return fill_even_odd([outline.points_yx for outline in outlines], shape_yx)
    ordered = sorted(outlines, key=lambda outline: outline.area, reverse=True)
    fills = [fill_in_box(outline, shape_yx) for outline in ordered]
    boxes = np.stack([outline.box for outline in ordered])
    levels = [
        sum(_within(fills[place], fills[around]) for around in _boxes_around(boxes, place))
        for place in range(len(fills))
    ]
    area = np.zeros(shape_yx, dtype=bool)
    for level in sorted(set(levels)):
        for fill in (fill for fill, own in zip(fills, levels, strict=True) if own == level):
            area[fill.box_yx][fill.image] = level % 2 == 0
    return area


def _boxes_meet(outlines: Sequence[Outline]) -> bool:
    """Whether the boxes of any two outlines share a point."""
    boxes = np.stack([outline.box for outline in outlines])
    low, high = boxes[:, :2], boxes[:, 2:]
    return any(
        ((low[place + 1 :] <= high[place]) & (high[place + 1 :] >= low[place])).all(axis=1).any()
        for place in range(len(boxes))
    )


def _boxes_around(boxes: np.ndarray, place: int) -> list[int]:
    """Indices before `place` of the boxes (n, 4) that contain the one at `place`, to a pixel."""
    own, others = boxes[place], boxes[:place]
    inside = (own[:2] >= others[:, :2] - 1) & (own[2:] <= others[:, 2:] + 1)
    return np.flatnonzero(inside.all(axis=1)).tolist()


def fill_in_box(outline: Outline, shape_yx: tuple[int, int]) -> Patch:
    """The pixels inside an outline, in its box in an image of `shape_yx`."""
    low = np.floor(outline.box[:2]).clip(0, shape_yx).astype(int).tolist()
    high = (np.ceil(outline.box[2:]) + 1).clip(low, shape_yx).astype(int).tolist()
    # Only y is shifted: a shifted x would be rounded differently, and a centre on an outline could change its side.
    image = fill_even_odd([outline.points_yx - [low[0], 0]], (high[0] - low[0], high[1]))
    return Patch((slice(low[0], high[0]), slice(low[1], high[1])), image[:, low[1] :].copy())


def _within(fill: Patch, around: Patch) -> bool:
    """Whether an outline is a hole or an island in a larger one: inside of it, and not the same outline drawn twice."""
    pixels, inside = int(fill.image.sum()), shared_pixels(fill, around)
    if pixels == inside:
        return pixels > 0
    alike = inside / (pixels + int(around.image.sum()) - inside)
    return inside >= INSIDE_SHARE * pixels and alike < ALIKE


def shared_pixels(first: Patch, second: Patch) -> int:
    """Number of pixels that are true in both."""
    box = [
        slice(max(one.start, two.start), min(one.stop, two.stop))
        for one, two in zip(first.box_yx, second.box_yx, strict=True)
    ]
    if any(part.start >= part.stop for part in box):
        return 0
    one, two = (patch.image[inside_box(box, patch.box_yx)] for patch in (first, second))
    return int(np.count_nonzero(one & two))


def inside_box(box: Sequence[slice], around: Sequence[slice]) -> tuple[slice, ...]:
    """Slices of a box relative to a larger box around it."""
    return tuple(slice(own.start - part.start, own.stop - part.start) for own, part in zip(box, around, strict=True))


def _same(first: Outline, second: Outline) -> bool:
    """Whether all points of each outline are on the other, to `SAME_VOXELS`."""
    pairs = ((first.points_yx, second.points_yx), (second.points_yx, first.points_yx))
    return all(_runs_along(points, outline) for points, outline in pairs)


def _runs_along(points_yx: np.ndarray, outline_yx: np.ndarray) -> bool:
    """Whether all points (n, 2) are on a closed outline (m, 2), to `SAME_VOXELS`."""
    along = np.roll(outline_yx, -1, axis=0) - outline_yx
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    for point in points_yx:
        share = np.clip(((point - outline_yx) * along).sum(axis=1) / length, 0, 1)
        away = ((outline_yx + share[:, None] * along - point) ** 2).sum(axis=1).min()
        if away > SAME_VOXELS**2:
            return False
    return True
