"""Outlines of segmented regions on the slices of the source series."""

from collections.abc import Iterator

import numpy as np

from ctseg.dicom.slice import Slice
from ctseg.dicom_export.source_series import Source, planes_of
from ctseg.geometry.volume import Grid
from ctseg.masks.mask_outlines import corners, keyholed, slice_contours


def outlines_on_slices(numbers_zyx: np.ndarray, grid: Grid, source: Source) -> Iterator[tuple[int, int, np.ndarray]]:
    """Outlines of all regions of equal number: the number, the slice's index, and (n, 3) points in mm (LPS).

    Zero is the background. Outlines run halfway between the voxels inside and outside; holes are joined to the outline
    around them. Points are exactly in the plane of the slice; planes of a resampled grid without a slice (gaps) have no
    outlines.
    """
    for place, plane in enumerate(planes_of(grid, source)):
        numbers_yx = numbers_zyx[plane]
        for number in np.flatnonzero(np.bincount(numbers_yx.ravel())):
            if number == 0:
                continue
            for outline_yx in keyholed([corners(outline) for outline in slice_contours(numbers_yx == number)]):
                points = grid.points_xyz_mm(np.insert(outline_yx, 0, plane, axis=1))
                yield int(number), place, _into_plane(points, source.slices[place])


def pixels_xy(points_xyz_mm: np.ndarray, part: Slice) -> np.ndarray:
    """Columns and rows (n, 2) of points (n, 3) of a slice as DICOM counts: the centre of the first pixel is 0.5, 0.5.

    PS3.3 C.10.5.1.2.
    """
    return (points_xyz_mm - part.position_xyz_mm) @ part.rows_columns.T / part.spacing_xy_mm + 0.5


def _into_plane(points_xyz_mm: np.ndarray, part: Slice) -> np.ndarray:
    return points_xyz_mm + np.outer((part.position_xyz_mm - points_xyz_mm) @ part.normal, part.normal)
