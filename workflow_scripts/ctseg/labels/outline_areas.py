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


def shoelace(points_yx: np.ndarray) -> float:
    """Area of a closed polygon (n, 2), in the square of the points' unit."""
    with np.errstate(over="ignore", invalid="ignore"):  # coordinates in damaged files may be huge
        y, x = (points_yx - points_yx.mean(axis=0)).T
        return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2))


def distinct(outlines: Sequence[Outline]) -> list[Outline]:
    """The outlines of a plane without repeated ones; their direction, start and rounding may differ."""
    kept: list[Outline] = []
    for outline in outlines:
        if not any(_same(outline, other) for other in kept):
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
    fills = [fill_even_odd([outline.points_yx], shape_yx) for outline in ordered]
    levels = [
        sum(_within(outline, fills[place], ordered[around], fills[around]) for around in range(place))
        for place, outline in enumerate(ordered)
    ]
    area = np.zeros(shape_yx, dtype=bool)
    for level in sorted(set(levels)):
        united = np.any([fill for fill, own in zip(fills, levels, strict=True) if own == level], axis=0)
        area = area & ~united if level % 2 else area | united
    return area


def _boxes_meet(outlines: Sequence[Outline]) -> bool:
    """Whether the boxes of any two outlines share a point."""
    boxes = np.stack([outline.box for outline in outlines])
    low, high = boxes[:, :2], boxes[:, 2:]
    meet = ((low[:, None] <= high[None]) & (high[:, None] >= low[None])).all(axis=-1)
    return int(meet.sum()) > len(boxes)


def _within(outline: Outline, fill: np.ndarray, other: Outline, around: np.ndarray) -> bool:
    """Whether an outline is a hole or an island in a larger one: inside of it, and not the same outline drawn twice."""
    if (outline.box[:2] < other.box[:2] - 1).any() or (outline.box[2:] > other.box[2:] + 1).any():
        return False
    pixels, inside = int(fill.sum()), int((fill & around).sum())
    if pixels == inside:
        return pixels > 0
    alike = inside / int((fill | around).sum())
    return inside >= INSIDE_SHARE * pixels and alike < ALIKE


def _same(first: Outline, second: Outline) -> bool:
    """Whether all points of each outline are on the other, to `SAME_VOXELS`."""
    if np.abs(first.box - second.box).max() > 2 * SAME_VOXELS:
        return False
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
