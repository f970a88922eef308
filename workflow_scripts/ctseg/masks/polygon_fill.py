"""Fill polygons on a pixel grid, and interpolate areas between planes."""

import numpy as np
from scipy.ndimage import distance_transform_edt

SNAP_VOXELS = 1e-6  # tolerance for pixel centres on an outline, against rounding errors


def fill_even_odd(polygons_yx: list[np.ndarray], shape_yx: tuple[int, int]) -> np.ndarray:
    """Bool image `[y, x]` of the pixels with centres inside an odd number of closed polygons.

    Polygons are (n, 2) arrays of y, x indices, fractions allowed. A centre on an outline is inside if the area
    continues to larger indices, so polygons that share an edge neither overlap nor leave a gap.
    """
    rows, columns = shape_yx
    starts = np.concatenate(polygons_yx)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons_yx])
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.ceil(low), 0, rows).astype(int)
    crossed = np.clip(np.ceil(high), 0, rows).astype(int) - first
    # One entry for each crossing of an edge with a row of pixel centres; it toggles all pixels to the right.
    edge = np.repeat(np.arange(len(starts)), crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    along = (row - starts[edge, 0]) / (ends[edge, 0] - starts[edge, 0])
    x = starts[edge, 1] + along * (ends[edge, 1] - starts[edge, 1])
    column = np.clip(np.ceil(x - SNAP_VOXELS), 0, columns).astype(int)
    toggles = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1)).reshape(rows, columns + 1)
    return np.logical_xor.accumulate(toggles[:, :columns] % 2 == 1, axis=1)


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Bool image `[y, x]` at a fraction `share` between the first and the second, by linear signed distances.

    Shape-based interpolation: Raya and Udupa, IEEE Transactions on Medical Imaging 9 (1990) 32.
    """
    rows, columns = np.nonzero(first | second)
    box = slice(rows.min(initial=0), rows.max(initial=0) + 1), slice(columns.min(initial=0), columns.max(initial=0) + 1)
    blended = (1 - share) * _signed_distance(first[box]) + share * _signed_distance(second[box])
    result = np.zeros_like(first)
    result[box] = blended > 0
    return result


def _signed_distance(area: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the edge of the area, in pixels: positive inside; beyond the image is outside."""
    padded = np.pad(area, 1)
    inside = distance_transform_edt(padded) - distance_transform_edt(~padded)
    return inside[1:-1, 1:-1]
