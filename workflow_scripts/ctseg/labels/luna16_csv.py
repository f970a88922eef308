"""LUNA16: mask of nodules by centre and diameter, from the challenge's annotations.csv.

Described at https://luna16.grand-challenge.org/Data: nodules of 3 mm or more that at least three of four radiologists
of LIDC-IDRI accepted. Coordinates are in the space of the `.mhd` files, which is LPS in mm.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid
from ctseg.masks.balls import mark_ball

COLUMNS = ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
LARGEST_DIAMETER_MM = 300.0  # wider than a lung; the largest nodule of the challenge has 32 mm


def read_luna16(path: str | Path, grid: Grid, image_name: str, series_uid: str | None) -> np.ndarray:
    """Bool mask `[z, y, x]` of the nodules of one series as balls; empty if the file does not name the series.

    A ball consists of the voxels with centres in it, and at least of the voxel nearest to its centre. `series_uid` is
    the name of the scan's file. All lines are checked, also of other series: a truncated file would otherwise make
    scans without nodules. Raises LabelError for a wrong line, for a missing `series_uid`, and for a centre outside of
    the image.
    """
    if not series_uid:
        raise LabelError(
            f"{image_name} has no series_uid, so its nodules in {path} are not known; give it in the table"
        )
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    for line, uid, centre_xyz_mm, diameter_mm in _rows(Path(path)):
        if uid != series_uid:
            continue
        index = grid.indices_zyx(centre_xyz_mm)[0]
        if (index < -0.5).any() or (index > np.asarray(grid.shape_zyx) - 0.5).any():
            position = ", ".join(f"{axis} {value:.1f}" for axis, value in zip("xyz", centre_xyz_mm, strict=True))
            raise LabelError(
                f"{path}, line {line}: the nodule at {position} mm lies outside of {image_name}, which covers "
                f"{grid.box_text()}"
            )
        mark_ball(mask, grid, centre_xyz_mm, diameter_mm)
    return mask


def _rows(path: Path) -> Iterator[tuple[int, str, np.ndarray, float]]:
    """Line number, series, centre in LPS mm and diameter in mm of each nodule. Messages quote no cell: one is a UID."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream)
            header = [cell.strip() for cell in next(lines, [])]
            if header != COLUMNS:
                raise LabelError(f"{path} is not an annotations.csv of LUNA16: line 1 should be {','.join(COLUMNS)}")
            for cells in lines:
                if any(cell.strip() for cell in cells):
                    yield lines.line_num, cells[0].strip(), *_ball(cells, f"{path}, line {lines.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error):
        raise LabelError(f"{path} does not exist or is not a CSV file in UTF-8 text") from None


def _ball(cells: list[str], where: str) -> tuple[np.ndarray, float]:
    """Centre (3,) and diameter of one line; LabelError unless both are finite and the diameter is possible."""
    try:
        x, y, z, diameter_mm = (float(cell) for cell in cells[1:])
    except ValueError:
        x = y = z = diameter_mm = np.nan
    if not np.isfinite([x, y, z, diameter_mm]).all() or not 0 < diameter_mm <= LARGEST_DIAMETER_MM:
        raise LabelError(
            f"{where}: should be a series, three coordinates and a diameter in mm; the file is cut or damaged, so "
            "download it again"
        )
    return np.array([x, y, z]), diameter_mm
