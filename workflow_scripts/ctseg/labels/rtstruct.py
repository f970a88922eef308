"""RTSTRUCT: outlines of organs and tumours from a radiotherapy planning system.

Contours are polygons in the patient's space in mm (PS3.3 C.8.8.6); `outlines` converts them to voxels of a scan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement

from ctseg.dicom.header import open_dicom, stand_in
from ctseg.errors import InputError, LabelError
from ctseg.labels.structure_names import find_structures

CONTOUR_DATA = 0x30060050
UNDEFINED_LENGTH = 0xFFFFFFFF
CLOSED_TYPES = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}


@dataclass(frozen=True)
class Roi:
    """An ROI: its closed contours, (n, 3) LPS points in mm each, and its number of other contours (points and lines).

    `frame_of_reference` is the stand-in (`header.stand_in`) of the ROI's frame, empty if the ROI has none.
    """

    contours: list[np.ndarray]
    open_contours: int = 0
    frame_of_reference: str = ""


def read_rois(path: str | Path, wanted: Mapping[str, Sequence[str]], missing_ok: bool = False) -> dict[str, list[Roi]]:
    """ROIs of each label of `wanted` in an RTSTRUCT; `find_structures` compares the names.

    Raises LabelError if the file is not an RTSTRUCT or is damaged, or an ROI is missing (unless `missing_ok`).
    """
    dataset = _open_rtstruct(Path(path))
    try:
        rois = list(dataset.StructureSetROISequence)
        names = [str(roi.ROIName) for roi in rois]
        found = {
            label: [rois[place] for place in find_structures(names, patterns, str(path), "ROI", missing_ok, label)]
            for label, patterns in wanted.items()
        }
        return {label: [_roi(dataset, roi) for roi in chosen] for label, chosen in found.items()}
    except InputError:
        raise
    except Exception:  # sequences are only parsed here, and a damaged file can make the parser fail in any way
        raise LabelError(
            f"{path} is a damaged RTSTRUCT: its ROIs or contours cannot be read; export it again"
        ) from None


def _open_rtstruct(path: Path) -> pydicom.Dataset:
    """Read an RTSTRUCT file; LabelError for another kind of file, or a truncated one."""
    header = open_dicom(path)
    if header is None or header.text("Modality") != "RTSTRUCT":
        raise LabelError(
            f"{path} is not an RTSTRUCT: {header.text('Modality') if header else 'it is not a DICOM file'}"
        )
    if _is_cut(header.dataset):
        raise LabelError(f"{path} is cut: its last part is missing; copy it again from its source")
    return header.dataset


def _is_cut(dataset: pydicom.Dataset) -> bool:
    """Whether an element has fewer bytes than its stored length, which the parser would accept as fewer items."""
    raw = [item for item in dataset.values() if isinstance(item, RawDataElement) and item.length != UNDEFINED_LENGTH]
    return any(len(item.value or b"") < item.length for item in raw)


def _roi(dataset: pydicom.Dataset, item: pydicom.Dataset) -> Roi:
    """The ROI of an item of StructureSetROISequence; it may have no contours."""
    closed, others = [], 0
    for roi in dataset.ROIContourSequence:  # exists even without contours: a file without it is truncated
        if int(roi.ReferencedROINumber) != int(item.ROINumber):
            continue
        for contour in roi.get("ContourSequence") or []:
            points = _points(contour)
            if contour.ContourGeometricType in CLOSED_TYPES and len(points) > 2:
                closed.append(points)
            else:
                others += 1
    return Roi(closed, others, stand_in(item.get("ReferencedFrameOfReferenceUID")))


def _points(contour: pydicom.Dataset) -> np.ndarray:
    """Points (n, 3) of a contour; parsed here because pydicom would create an object for each number."""
    element = contour.get_item(CONTOUR_DATA)
    value = element.value if element is not None else b""
    numbers = value.decode("ascii").split("\\") if isinstance(value, bytes) else list(value or [])
    points = np.array(numbers, dtype=float).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not finite")
    return points
