"""RTSTRUCT: the outlines that a radiotherapy planning system draws around organs and tumours, as masks.

Contours are polygons in the patient's space in mm (PS3.3 C.8.8.6); a mask needs the grid of the scan under them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement

from ctseg.dicom_header import open_dicom
from ctseg.errors import InputError
from ctseg.polygons import SNAP_VOXELS, between, fill_even_odd
from ctseg.structure_names import find_structures
from ctseg.volume import Grid, box_text

CONTOUR_DATA = 0x30060050
UNDEFINED_LENGTH = 0xFFFFFFFF
CLOSED_TYPES = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
MARGIN_VOXELS = 1.0  # how far a contour may leave the image before it must belong to another one
WIDEST_GAP = 1.5  # of the usual distance of planes: a wider one was left out on purpose


def read_contours(
    path: str | Path, wanted: Mapping[str, Sequence[str]], missing_ok: bool = False
) -> dict[str, list[list[np.ndarray]]]:
    """Read closed contours of an RTSTRUCT: for each label of `wanted` the ROIs that it names, each a list of contours.

    A contour is an (n, 3) array of LPS points in mm. Raises InputError when the file is no RTSTRUCT or damaged, or an
    ROI is not there (unless `missing_ok`); names are found as in `find_structures`.
    """
    dataset = _open_rtstruct(Path(path))
    try:
        rois = [(str(roi.ROIName), int(roi.ROINumber)) for roi in dataset.StructureSetROISequence]
        names = [name for name, _ in rois]
        found = {
            label: [rois[place][1] for place in find_structures(names, patterns, str(path), "ROI", missing_ok)]
            for label, patterns in wanted.items()
        }
        return {label: [_roi_contours(dataset, number) for number in numbers] for label, numbers in found.items()}
    except InputError:
        raise
    except Exception:  # sequences are only parsed here, and a damaged file can make the parser fail in any way
        raise InputError(
            f"{path} is a damaged RTSTRUCT: its ROIs or contours cannot be read; export it again"
        ) from None


def rasterise(contours_xyz_mm: list[np.ndarray], grid: Grid, name: str, image_name: str) -> np.ndarray:
    """The bool mask `[z, y, x]` of the voxels whose centres lie inside an odd number of the contours of their plane.

    Holes, islands and keyholes come out right with this rule. A contour belongs to the nearest slice; contours of one
    slice that were drawn in different planes are joined. Where planes are farther apart than slices, the slices between
    two planes of usual distance are interpolated, and the outermost planes reach half of that distance farther; a wider
    gap stays one. Raises InputError when a contour is not parallel to the slices or lies outside of the image.
    """
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    if not contours_xyz_mm:
        return mask
    polygons = [np.round(grid.indices_zyx(points) / SNAP_VOXELS) * SNAP_VOXELS for points in contours_xyz_mm]
    _require_inside(polygons, contours_xyz_mm, grid, name, image_name)
    planes: dict[float, list[np.ndarray]] = {}
    for polygon in polygons:
        depth = float(polygon[:, 0].mean())
        if np.abs(polygon[:, 0] - depth).max() > 0.5:
            raise InputError(f"{name} has contours that are not parallel to the slices of {image_name}")
        planes.setdefault(round(depth, 2), []).append(polygon[:, 1:])
    areas = {depth: fill_even_odd(outlines, grid.shape_zyx[1:]) for depth, outlines in sorted(planes.items())}
    for depth, area in areas.items():
        mask[min(max(round(depth), 0), grid.shape_zyx[0] - 1)] |= area
    _fill_between(mask, areas)
    return mask


def _fill_between(mask: np.ndarray, areas: dict[float, np.ndarray]) -> None:
    """Fill the slices of `mask` that no plane is nearest to but that lie within usual distance of one, in place."""
    depths = np.array(list(areas))
    taken = {round(depth) for depth in depths}
    usual = max(1.0, float(np.median(np.diff(depths)))) if len(depths) > 2 else 1.0
    for index in range(mask.shape[0]):
        if index in taken:
            continue
        above = int(np.searchsorted(depths, index))
        inside = 0 < above < len(depths)
        if inside and depths[above] - depths[above - 1] <= WIDEST_GAP * usual:
            share = (index - depths[above - 1]) / (depths[above] - depths[above - 1])
            mask[index] = between(areas[depths[above - 1]], areas[depths[above]], share)
        else:
            nearest = depths[np.abs(depths - index).argmin()]
            if abs(nearest - index) <= usual / 2:
                mask[index] = areas[nearest]


def _open_rtstruct(path: Path) -> pydicom.Dataset:
    """Read an RTSTRUCT file; InputError when it is another kind of file."""
    header = open_dicom(path)
    if header is None or header.text("Modality") != "RTSTRUCT":
        raise InputError(f"{path} is no RTSTRUCT: {header.text('Modality') if header else 'it is no DICOM file'}")
    if _is_cut(header.dataset):
        raise InputError(f"{path} is cut: its last part is missing; copy it again from its source")
    return header.dataset


def _is_cut(dataset: pydicom.Dataset) -> bool:
    """Whether an element holds fewer bytes than its length says, which the parser takes for the items that are left."""
    raw = [item for item in dataset.values() if isinstance(item, RawDataElement) and item.length != UNDEFINED_LENGTH]
    return any(len(item.value or b"") < item.length for item in raw)


def _roi_contours(dataset: pydicom.Dataset, number: int) -> list[np.ndarray]:
    """The closed contours of the ROI with this number as (n, 3) arrays; an ROI may have none."""
    contours = []
    for roi in dataset.ROIContourSequence:  # there even when nothing is drawn: a file without it is cut
        if int(roi.ReferencedROINumber) != number:
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
    box = box_text(np.concatenate(contours_xyz_mm))
    raise InputError(
        f"{name} lies outside of {image_name}: contours over {box}, the image over {grid.box_text()}; "
        "they must come from the same scan"
    )
