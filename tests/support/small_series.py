"""DICOM series with few voxels, and single slices without a file."""

from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom.header import Header
from ctseg.dicom.slice import Slice, parse_slice
from ctseg.geometry.volume import Grid
from dicom_files import INTERCEPT, body, ct_slice, write, write_series

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
ORIGIN_XYZ_MM = (-9.0, 4.0, 30.0)


def grid_of(n_slices: int, distance_mm: float = 2.0, direction=AXIAL, shape_yx: tuple[int, int] = (5, 6)) -> Grid:
    """Grid of `n_slices` slices with pixels of 0.7 mm along x and 0.9 mm along y."""
    return Grid((n_slices, *shape_yx), (0.7, 0.9, distance_mm), ORIGIN_XYZ_MM, direction)


def add(
    folder: Path, uid: str, n_slices: int = 10, distance_mm: float = 2.0, direction=AXIAL, **elements: Any
) -> np.ndarray:
    """Write a series into a subfolder named by its UID; return its HU [z, y, x], by UID length and `n_slices`."""
    hu, grid = body((n_slices, 5, 6), seed=len(uid) + n_slices), grid_of(n_slices, distance_mm, direction)
    write_series(folder / uid, hu, grid, SeriesInstanceUID=uid, **elements)
    return hu


def write_stored(folder: Path, stored_zyx: np.ndarray, **elements: Any) -> Path:
    """Write a series with the given stored values [z, y, x]; return the folder."""
    n_slices, *shape_yx = stored_zyx.shape
    for index, stored in enumerate(stored_zyx):
        grid = grid_of(n_slices, shape_yx=tuple(shape_yx))
        write(ct_slice(stored, grid, index, **elements), folder / f"{index}.dcm")
    return folder


def header_of(grid: Grid, index: int = 0, **elements: Any) -> Header:
    """Header of a slice of air without a file."""
    stored = np.zeros(grid.shape_zyx[1:], np.int16) - np.int16(INTERCEPT) - 1024
    dataset = ct_slice(stored, grid, index, **elements)
    return Header(Path(f"{index}.dcm"), dataset, False, None, False, True, 0)


def slice_of(grid: Grid, index: int = 0, **elements: Any) -> Slice:
    """Slice of air without a file."""
    return parse_slice(header_of(grid, index, **elements))
