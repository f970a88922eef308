"""Outlines of a mask, as a person would draw them on a slice."""

import numpy as np
from scipy.spatial.distance import cdist

# The sides of a pixel in the order of a walk around it, pixel on the right: from corner, to corner, neighbour (y, x).
SIDES = (((0, 0), (0, 1), (-1, 0)), ((0, 1), (1, 1), (0, 1)), ((1, 1), (1, 0), (1, 0)), ((1, 0), (0, 0), (0, -1)))

Corner = tuple[int, int]


def slice_contours(mask_yx: np.ndarray) -> list[np.ndarray]:
    """Closed outlines of a 2-D mask: a list of (n, 2) arrays of y, x indices, the first point not repeated.

    Points lie halfway between a pixel inside and its neighbour outside, so exactly the centres of the mask's pixels
    are enclosed. Pixels that touch at a corner are apart; a hole has an outline of its own.
    """
    following = _sides(mask_yx)
    outlines = []
    for start in sorted(following):
        while start in following:
            outlines.append(_walk(following, start))
    return outlines


def _walk(following: dict[Corner, list[tuple[Corner, Corner]]], start: Corner) -> np.ndarray:
    """The outline that begins at a corner; its sides are taken out of `following`."""
    corner, heading = start, following[start][0][1]
    outline = []
    while True:
        ends = following[corner]
        # Where two outlines touch, the sharpest turn to the right stays on this one.
        turn = max(ends, key=lambda end: _right_turn(heading, end[1]))
        ends.remove(turn)
        if not ends:
            del following[corner]
        outline.append(((corner[0] + turn[0][0]) / 2 - 0.5, (corner[1] + turn[0][1]) / 2 - 0.5))
        corner, heading = turn
        if corner == start:
            return np.array(outline)


def _sides(mask_yx: np.ndarray) -> dict[Corner, list[tuple[Corner, Corner]]]:
    """The directed sides between inside and outside: from each corner to the next ones, with their headings (y, x)."""
    inside = np.pad(np.asarray(mask_yx, bool), 1)
    following: dict[Corner, list[tuple[Corner, Corner]]] = {}
    for (y0, x0), (y1, x1), (dy, dx) in SIDES:
        outside = ~np.roll(inside, (-dy, -dx), axis=(0, 1))
        for y, x in np.argwhere(inside & outside).tolist():
            corner, end = (y + y0 - 1, x + x0 - 1), (y + y1 - 1, x + x1 - 1)
            following.setdefault(corner, []).append((end, (y1 - y0, x1 - x0)))
    return following


def _right_turn(heading: Corner, other: Corner) -> int:
    """1 for a turn to the right (seen with y down), 0 straight on, −1 to the left."""
    return heading[1] * other[0] - heading[0] * other[1]


def keyholed(outlines: list[np.ndarray]) -> list[np.ndarray]:
    """Outlines of a slice, as of `slice_contours`, with each hole joined to what is around it by a cut without width.

    So a closed contour with a hole is drawn in DICOM (PS3.3 C.8.8.6.3): programs that fill each contour for itself, and
    those that count how often a pixel is enclosed, find the same pixels.
    """
    areas = [_area(outline) for outline in outlines]
    joined = {place: outlines[place] for place, area in enumerate(areas) if area > 0}
    for hole in (outline for outline, area in zip(outlines, areas, strict=True) if area < 0):
        around = [place for place in joined if _encloses(outlines[place], hole[0])]
        smallest = min(around, key=lambda place: areas[place])
        joined[smallest] = _cut_open(joined[smallest], hole)
    return list(joined.values())


def corners(outline: np.ndarray) -> np.ndarray:
    """An outline without the points that lie straight between their neighbours."""
    before, after = outline - np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0) - outline
    return outline[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _area(outline: np.ndarray) -> float:
    """The area within an outline in pixels, negative for that of a hole."""
    y, x = outline.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def _encloses(outline: np.ndarray, point: np.ndarray) -> bool:
    """Whether a ray from the point along x crosses the outline an odd number of times."""
    starts, ends = outline, np.roll(outline, -1, axis=0)
    crossing = (starts[:, 0] > point[0]) != (ends[:, 0] > point[0])
    starts, ends = starts[crossing], ends[crossing]
    x = starts[:, 1] + (point[0] - starts[:, 0]) / (ends[:, 0] - starts[:, 0]) * (ends[:, 1] - starts[:, 1])
    return bool((x > point[1]).sum() % 2)


def _cut_open(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One outline that runs from the outer one to the nearest point of the hole, around it, and back."""
    distances = cdist(outer, hole)
    leave, arrive = np.unravel_index(distances.argmin(), distances.shape)
    around = np.roll(hole, -arrive, axis=0)
    return np.concatenate([outer[: leave + 1], around, around[:1], outer[leave:]])
