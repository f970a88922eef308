"""Outlines of a mask, as a person would draw them on a slice."""

import numpy as np

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
    while following:
        start = min(following)
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
                break
        outlines.append(np.array(outline))
    return outlines


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
