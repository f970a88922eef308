"""RTSTRUCT: the outlines that a radiotherapy planning system draws around organs and tumours, as masks.

Contours are polygons in the patient's space in mm (PS3.3 C.8.8.6); a mask needs the grid of the scan under them.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom

from ctseg.dicom_header import open_dicom
from ctseg.errors import InputError
from ctseg.volume import Grid

CONTOUR_DATA = 0x30060050
CLOSED_TYPES = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
MARGIN_VOXELS = 1.0  # how far a contour may leave the image before it must belong to another one
SNAP_VOXELS = 1e-6  # a pixel centre on an outline must not be decided by rounding errors


def read_contours(path: str | Path, roi_names: Iterable[str], missing_ok: bool = False) -> dict[str, list[np.ndarray]]:
    """Read the closed contours of some ROIs of an RTSTRUCT file: for each name a list of (n, 3) LPS points in mm.

    Names are compared exactly first, then without regard to case and surrounding spaces. Raises InputError when the
    file is no RTSTRUCT, a name fits several ROIs, or, unless `missing_ok`, it fits none: the message lists those that
    are there.
    """
    dataset = _open_rtstruct(Path(path))
    try:
        numbers = [(str(roi.ROIName), int(roi.ROINumber)) for roi in dataset.StructureSetROISequence]
        wanted = {name: _find_roi(numbers, name, str(path), missing_ok) for name in roi_names}
        return {name: _roi_contours(dataset, number) for name, number in wanted.items()}
    except (AttributeError, TypeError, ValueError, KeyError, NotImplementedError):
        raise InputError(
            f"{path} is a damaged RTSTRUCT: its ROIs or contours cannot be read; export it again"
        ) from None


def rasterise(contours_xyz_mm: list[np.ndarray], grid: Grid, name: str, image_name: str) -> np.ndarray:
    """The bool mask `[z, y, x]` of the voxels whose centres lie inside an odd number of the contours of their plane.

    Holes, islands and keyholes come out right with this rule. Each contour belongs to the nearest slice, at most half a
    slice away; contours of one slice that were drawn in different planes are joined. Raises InputError when a contour
    is not parallel to the slices or lies outside of the image.
    """
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    if not contours_xyz_mm:
        return mask
    polygons = [np.round(grid.indices_zyx(points) / SNAP_VOXELS) * SNAP_VOXELS for points in contours_xyz_mm]
    _require_inside(polygons, contours_xyz_mm, grid, name, image_name)
    planes: dict[tuple[int, int], list[np.ndarray]] = {}
    for polygon in polygons:
        depth = float(polygon[:, 0].mean())
        if np.abs(polygon[:, 0] - depth).max() > 0.5:
            raise InputError(f"{name} has contours that are not parallel to the slices of {image_name}")
        index = min(max(round(depth), 0), grid.shape_zyx[0] - 1)
        planes.setdefault((index, round(depth * 100)), []).append(polygon[:, 1:])
    for (index, _), outlines in planes.items():
        mask[index] |= fill_even_odd(outlines, grid.shape_zyx[1:])
    return mask


def fill_even_odd(polygons_yx: list[np.ndarray], shape_yx: tuple[int, int]) -> np.ndarray:
    """The bool image of the pixels whose centres lie inside an odd number of closed polygons.

    Polygons are (n, 2) arrays of y, x indices, fractions allowed. A centre on an outline is inside where the area
    continues to larger indices, so polygons that share an edge neither overlap nor leave a gap.
    """
    rows, columns = shape_yx
    starts = np.concatenate(polygons_yx)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons_yx])
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.ceil(low), 0, rows).astype(int)
    crossed = np.clip(np.ceil(high), 0, rows).astype(int) - first
    # One entry for every crossing of an edge with a row of pixel centres: it toggles all pixels to its right.
    edge = np.repeat(np.arange(len(starts)), crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    along = (row - starts[edge, 0]) / (ends[edge, 0] - starts[edge, 0])
    x = starts[edge, 1] + along * (ends[edge, 1] - starts[edge, 1])
    column = np.clip(np.ceil(x - SNAP_VOXELS), 0, columns).astype(int)
    toggles = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1)).reshape(rows, columns + 1)
    return np.logical_xor.accumulate(toggles[:, :columns] % 2 == 1, axis=1)


def _open_rtstruct(path: Path) -> pydicom.FileDataset:
    """Read an RTSTRUCT file; InputError when it is another kind of file."""
    header = open_dicom(path)
    if header is None or header.text("Modality") != "RTSTRUCT":
        raise InputError(f"{path} is no RTSTRUCT: {header.text('Modality') if header else 'it is no DICOM file'}")
    return header.dataset


def _find_roi(numbers: list[tuple[str, int]], wanted: str, path: str, missing_ok: bool) -> int | None:
    """The number of the ROI that is called `wanted`, or None when there is none and that is allowed."""
    matches = [number for name, number in numbers if name == wanted]
    if not matches:
        matches = [number for name, number in numbers if name.strip().casefold() == wanted.strip().casefold()]
    if len(matches) == 1 or (missing_ok and not matches):
        return matches[0] if matches else None
    present = ", ".join(sorted(name for name, _ in numbers)) or "none"
    problem = f"{len(matches)} ROIs" if matches else "no ROI"
    raise InputError(f"{path} has {problem} called {wanted}; set target.roi_names to one of: {present}")


def _roi_contours(dataset: pydicom.Dataset, number: int | None) -> list[np.ndarray]:
    """The closed contours of the ROI with this number as (n, 3) arrays; an ROI may have none."""
    contours = []
    for roi in dataset.get("ROIContourSequence") or []:
        if number is None or int(roi.ReferencedROINumber) != number:
            continue
        for contour in roi.get("ContourSequence") or []:
            points = _points(contour)
            if contour.ContourGeometricType in CLOSED_TYPES and len(points) > 2:
                contours.append(points)
    return contours


def _points(contour: pydicom.Dataset) -> np.ndarray:
    """The points of a contour; the text is parsed here since pydicom makes an object of every number."""
    element = contour.get_item(CONTOUR_DATA)
    value = element.value if element is not None else b""
    numbers = value.decode("ascii").split("\\") if isinstance(value, bytes) else list(value or [])
    points = np.array(numbers, dtype=float).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not finite")
    return points


def _require_inside(
    polygons: list[np.ndarray], contours_xyz_mm: list[np.ndarray], grid: Grid, name: str, image_name: str
) -> None:
    """Raise InputError when a contour leaves the image: it was drawn on another one."""
    indices = np.concatenate(polygons)
    margin = np.array([0.5 + 1e-3, MARGIN_VOXELS, MARGIN_VOXELS])
    last = np.asarray(grid.shape_zyx) - 1
    if (indices >= -margin).all() and (indices <= last + margin).all():
        return
    points = np.concatenate(contours_xyz_mm)
    spans = zip("xyz", points.min(axis=0), points.max(axis=0), strict=True)
    box = ", ".join(f"{axis} {low:.1f}…{high:.1f}" for axis, low, high in spans)
    raise InputError(
        f"{name} lies outside of {image_name}: contours over {box} mm, the image over {grid.box_text()}; "
        "they must come from the same scan"
    )
