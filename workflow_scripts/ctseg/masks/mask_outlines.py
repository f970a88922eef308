"""Outlines of a mask on a slice, as polygons."""

import numpy as np
from scipy.spatial.distance import cdist
from skimage.measure import find_contours, points_in_poly


def slice_contours(mask_yx: np.ndarray) -> list[np.ndarray]:
    """Closed outlines of a 2-D mask: a list of (n, 2) arrays of y, x indices, the first point not repeated.

    Points are halfway between a pixel inside and its neighbour outside, so the outlines enclose exactly the centres
    of the mask's pixels. Pixels that touch only at a corner are separate; a hole has its own outline. Outlines are
    ordered by their topmost point (the leftmost of several). An outline begins at this point, a hole ends at it.
    """
    padded = np.pad(np.asarray(mask_yx, bool), 1).astype(float)
    outlines = [closed[:-1] - 1 for closed in find_contours(padded, 0.5, fully_connected="low")]
    tops = [int(np.lexsort(outline.T[::-1])[0]) for outline in outlines]
    order = sorted(range(len(outlines)), key=lambda place: tuple(outlines[place][tops[place]]))
    return [np.roll(outlines[place], -tops[place] - (_area(outlines[place]) < 0), axis=0) for place in order]


def keyholed(outlines: list[np.ndarray]) -> list[np.ndarray]:
    """Outlines from `slice_contours`, with each hole joined to the outline around it by a cut without width.

    DICOM describes a closed contour with a hole in this way (PS3.3 C.8.8.6.3): programs that fill each contour
    separately, and programs that count how often a pixel is enclosed, find the same pixels.
    """
    areas = [_area(outline) for outline in outlines]
    joined = {place: outlines[place] for place, area in enumerate(areas) if area > 0}
    for hole in (outline for outline, area in zip(outlines, areas, strict=True) if area < 0):
        around = [place for place in joined if points_in_poly(hole[:1], outlines[place])[0]]
        smallest = min(around, key=lambda place: areas[place])
        joined[smallest] = _cut_open(joined[smallest], hole)
    return list(joined.values())


def corners(outline: np.ndarray) -> np.ndarray:
    """An outline (n, 2) without the points on a straight line between their neighbours."""
    before, after = outline - np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0) - outline
    return outline[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _area(outline: np.ndarray) -> float:
    """Area of an outline in pixels, negative for a hole."""
    y, x = outline.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def _cut_open(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One outline (n, 2) that joins both by a cut between their nearest points."""
    distances = cdist(outer, hole)
    leave, arrive = np.unravel_index(distances.argmin(), distances.shape)
    around = np.roll(hole, -arrive, axis=0)
    return np.concatenate([outer[: leave + 1], around, around[:1], outer[leave:]])
