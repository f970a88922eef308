"""Small DICOM files for tests, written with pydicom."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

from ctseg.geometry.volume import Grid

INTERCEPT = -1024.0
SPACING_MM = 1.5
SHAPE_YX = (40, 36)
REFERABLE = {"StudyInstanceUID": "1.2.3.4", "FrameOfReferenceUID": "1.2.3.5"}  # needed for DICOM results of a series
CENTRE_XYZ_MM = np.array([26.0, 31.0, 24.0])


def new_object(sop_class: str, instance: str | None = None) -> Dataset:
    """Data set with only SOP class, transfer syntax and SOP instance UID (`instance`, or a new one)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = instance or generate_uid()
    return dataset


def ct_slice(stored_yx: np.ndarray, grid: Grid, index: int, **elements: Any) -> Dataset:
    """CT slice `index` of a grid with the given stored values [y, x]; `elements` are added or replaced.

    A tuple is (VR, value); None removes the element.
    """
    dataset = new_object(CTImageStorage)
    dataset.Modality = "CT"
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "Secret^Name", "SECRETID", "19991231"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = np.asarray(grid.direction)[:, :2].T.ravel().round(12).tolist()
    dataset.ImagePositionPatient = grid.points_xyz_mm(np.array([[index, 0, 0]]))[0].round(9).tolist()
    dataset.PixelSpacing = [grid.spacing_xyz_mm[1], grid.spacing_xyz_mm[0]]
    dataset.Rows, dataset.Columns = stored_yx.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored_yx.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(stored_yx.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, INTERCEPT
    dataset.PixelData = stored_yx.tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        elif isinstance(value, tuple):
            dataset.add_new(keyword, *value)
        else:
            setattr(dataset, keyword, value)
    return dataset


def write(dataset: Dataset, path: Path) -> Path:
    """Save a data set as a DICOM file with preamble; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, hu_zyx: np.ndarray, grid: Grid, **elements: Any) -> Path:
    """Write HU [z, y, x] as a series with file names in another order than the slices; return the folder."""
    for index, slice_hu in enumerate(hu_zyx):
        stored = (slice_hu - INTERCEPT).astype(np.uint16)
        write(ct_slice(stored, grid, index, **elements), folder / f"IM{(index * 7 + 3) % len(hu_zyx)}-{index % 2}")
    return folder


def body(shape_zyx: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Random HU from -1024 to 1999, int16 [z, y, x]."""
    return np.random.default_rng(seed).integers(-1024, 2000, shape_zyx).astype(np.int16)


def smooth_hu(points_xyz_mm: np.ndarray) -> np.ndarray:
    """HU of a smooth ball of tissue in air at points (…, 3) of x, y, z in mm."""
    distance_mm = np.linalg.norm(points_xyz_mm - CENTRE_XYZ_MM, axis=-1)
    return 1000 * np.exp(-((distance_mm / 14) ** 2)) - 1000


def write_stack(folder: Path, heights_mm: list[float], tilt_deg: float = 0.0, **more: Any) -> Path:
    """Write slices of the smooth ball at `heights_mm` along z, with planes tilted about x; return the folder."""
    tilt = np.radians(tilt_deg)
    rows_columns = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)]])
    y, x = np.indices(SHAPE_YX) * SPACING_MM
    plane = x[..., None] * rows_columns[0] + y[..., None] * rows_columns[1]
    corner = CENTRE_XYZ_MM - plane[SHAPE_YX[0] // 2, SHAPE_YX[1] // 2] - [0, 0, np.mean(heights_mm)]
    grid = Grid((1, *SHAPE_YX), (SPACING_MM,) * 3, (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    for index, height in enumerate(heights_mm):
        position = corner + np.array([0, 0, height])
        stored = np.rint(smooth_hu(plane + position) - INTERCEPT).astype(np.uint16)
        elements = more | {
            "ImagePositionPatient": position.round(9).tolist(),
            "ImageOrientationPatient": rows_columns.ravel().round(12).tolist(),
        }
        write(ct_slice(stored, grid, 0, **elements), folder / f"{index:02}.dcm")
    return folder


def write_rtstruct(path: Path, rois: dict[str, list[np.ndarray]], kind: str = "CLOSED_PLANAR") -> Path:
    """Write an RTSTRUCT with the given contours (n, 3) of LPS points in mm for each ROI name; return the path."""
    dataset = new_object(RTStructureSetStorage, generate_uid(entropy_srcs=[path.name]))
    dataset.Modality = "RTSTRUCT"
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(rois.items(), start=1):
        roi, outline = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        outline.ReferencedROINumber = number
        outline.ContourSequence = [_contour(points, kind) for points in contours]
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(outline)
    return write(dataset, path)


def _contour(points_xyz_mm: np.ndarray, kind: str) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType = kind
    contour.NumberOfContourPoints = len(points_xyz_mm)
    contour.ContourData = np.asarray(points_xyz_mm).round(6).ravel().tolist()
    return contour


def items(**elements: Any) -> Dataset:
    """Sequence item with the given elements."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def name_images(
    path: Path,
    patient: str,
    frames: Sequence[str] = (),
    series: Sequence[str] = (),
    slices: Sequence[str] = (),
) -> Path:
    """Add references to an RTSTRUCT: patient ID, UIDs of frames of reference, series and slices; return the path."""
    dataset = pydicom.dcmread(path)
    dataset.PatientID = patient
    parts = [items(SeriesInstanceUID=uid, ContourImageSequence=[]) for uid in series]
    if slices:
        parts.append(items(ContourImageSequence=[items(ReferencedSOPInstanceUID=uid) for uid in slices]))
    study = items(RTReferencedSeriesSequence=parts)
    dataset.ReferencedFrameOfReferenceSequence = [
        items(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study]) for frame in frames or [""]
    ]
    return write(dataset, path)


def write_seg(
    path: Path, segments: dict[str, np.ndarray], grid: Grid, kind: str = "BINARY", order: Any = None, **elements: Any
) -> Path:
    """Write a DICOM SEG with a frame for each non-empty slice of each segment; `order` shuffles the frames.

    Segments are masks [z, y, x]; values of fractional segments are 0…200 of 200. A label map has all slices, with the
    number of the last segment in each pixel.
    """
    dataset = new_object(SegmentationStorage)
    dataset.Modality, dataset.SegmentationType = "SEG", kind
    dataset.SegmentSequence = [_segment(number, name) for number, name in enumerate(segments, start=1)]
    planes = []
    if kind == "LABELMAP":
        stacked = np.zeros(grid.shape_zyx, np.uint8)
        for number, mask in enumerate(segments.values(), start=1):
            stacked[mask > 0] = number
        planes = [(None, z, stacked[z]) for z in range(grid.shape_zyx[0])]
    else:
        for number, mask in enumerate(segments.values(), start=1):
            planes += [(number, z, mask[z]) for z in range(grid.shape_zyx[0]) if mask[z].any()]
    planes = [planes[place] for place in order(len(planes))] if order else planes
    dataset.PerFrameFunctionalGroupsSequence = [_seg_frame(number, z, grid) for number, z, _ in planes]
    dataset.SharedFunctionalGroupsSequence = [_seg_shared(grid)]
    pixels = np.array([plane for *_, plane in planes])
    bits = 1 if kind == "BINARY" else 8
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue = 200
    data = np.packbits(pixels.ravel() > 0, bitorder="little") if bits == 1 else pixels.astype(np.uint8)
    dataset.PixelData = data.tobytes() + b"\0" * (data.size % 2)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return write(dataset, path)


def _segment(number: int, name: str) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = number, name
    return segment


def _seg_frame(number: int | None, z: int, grid: Grid) -> Dataset:
    frame, place, identity = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = grid.points_xyz_mm(np.array([[z, 0, 0]]))[0].round(9).tolist()
    frame.PlanePositionSequence = [place]
    if number is not None:
        identity.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = [identity]
    return frame


def _seg_shared(grid: Grid) -> Dataset:
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = np.asarray(grid.direction)[:, :2].T.ravel().round(12).tolist()
    measures.PixelSpacing = [grid.spacing_xyz_mm[1], grid.spacing_xyz_mm[0]]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    return shared
