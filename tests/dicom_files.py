"""Small DICOM files for tests, written with pydicom."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from ctseg.volume import Grid

INTERCEPT = -1024.0


def ct_slice(stored_yx: np.ndarray, grid: Grid, index: int, **elements: Any) -> Dataset:
    """A CT slice of `grid` with these stored values; `elements` are added or replace what is there.

    A tuple is (VR, value), and None removes the element.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
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
    """Save a dataset with its preamble."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, hu_zyx: np.ndarray, grid: Grid, **elements: Any) -> Path:
    """Write a series whose file names are in no order; returns the folder."""
    for index, slice_hu in enumerate(hu_zyx):
        stored = (slice_hu - INTERCEPT).astype(np.uint16)
        write(ct_slice(stored, grid, index, **elements), folder / f"IM{(index * 7 + 3) % len(hu_zyx)}-{index % 2}")
    return folder


def body(shape_zyx: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Random whole HU between air and bone."""
    return np.random.default_rng(seed).integers(-1024, 2000, shape_zyx).astype(np.int16)


def write_rtstruct(path: Path, rois: dict[str, list[np.ndarray]], kind: str = "CLOSED_PLANAR") -> Path:
    """Write an RTSTRUCT with the given contours, (n, 3) LPS points in mm, for each ROI name."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = RTStructureSetStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
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
