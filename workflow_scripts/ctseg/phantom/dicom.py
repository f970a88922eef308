"""The phantom as DICOM: a CT series and an RTSTRUCT, as a hospital would send them.

The parts of the standard are PS3.3 A.3 (CT image), A.19 (RT structure set) and C.7.6.2 (image plane). Names, dates and
UIDs are fictitious and the same in every run.
"""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from ctseg.dicom.dataset import items
from ctseg.files import atomic_path
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.masks.mask_outlines import slice_contours
from ctseg.phantom.cases import phantom_case
from ctseg.phantom.patient import Phantom

INTERCEPT_HU = -1024
RAW_PADDING = -2000  # below every measured value; some scanners fill the corners of a slice with it
ROI_NAME = "nodule"


def reading_order(volume: Volume, feet_first: bool) -> Volume:
    """The volume with its axes in the reading order of its series.

    The slices of a scan run along the cross product of their rows and columns. With the feet first and face up, rows
    run to the patient's right and slices to the feet, so x and z are reversed; the position of each voxel is kept.
    """
    if not feet_first:
        return volume
    nz, _, nx = volume.grid.shape_zyx
    matrix = volume.grid.affine @ np.diag([-1.0, 1.0, -1.0, 1.0])
    matrix[:3, 3] = volume.grid.points_xyz_mm(np.array([[nz - 1, 0, nx - 1]]))[0]
    return Volume(volume.voxels_zyx[::-1, :, ::-1], Grid.from_affine(matrix, volume.grid.shape_zyx))


def write_series(phantom: Phantom, index: int, folder: str | Path, with_localizer: bool, feet_first: bool) -> None:
    """Write the phantom's image as a CT series, one file per slice, into `folder`.

    File names are random and slices are numbered from either end. Every fourth patient has signed pixels and raw
    padding outside the field of view, the others unsigned pixels and air.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = _file_names(index, phantom.image.grid.shape_zyx[0] + 1)
    volume = reading_order(phantom.image, feet_first)
    header = _ct_header(phantom, index, feet_first)
    _set_pixel_format(header, signed=index % 4 == 3)
    for k, plane in enumerate(_stored(volume, header.PixelRepresentation)):
        _set_slice(header, volume, k, index)
        _save(header, plane, folder / names[k])
    if with_localizer:
        _save_localizer(phantom, index, header, folder / names[-1])


def write_rtstruct(phantom: Phantom, series_folder: str | Path, path: str | Path) -> None:
    """Write the phantom's label as an RTSTRUCT that refers to the series in `series_folder`.

    All nodules are in one ROI, `nodule`, as closed planar contours on the slices of the series.
    """
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in sorted(Path(series_folder).iterdir())]
    slices = [header for header in headers if "LOCALIZER" not in header.ImageType]
    slices.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    first = slices[0]
    dataset = _new_dataset(RTStructureSetStorage, _uid("rtstruct", first.SeriesInstanceUID))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        setattr(dataset, keyword, getattr(first, keyword))
    dataset.update(items(StudyTime="", AccessionNumber="", ReferringPhysicianName="", StudyID=first.StudyID))
    dataset.update(items(Modality="RTSTRUCT", Manufacturer="ctseg", SeriesNumber=9, FrameOfReferenceUID=""))
    dataset.FrameOfReferenceUID = first.FrameOfReferenceUID
    dataset.SeriesInstanceUID = _uid("rtstruct series", first.SeriesInstanceUID)
    dataset.update(items(StructureSetLabel="nodules", StructureSetDate="20200101", StructureSetTime="120000"))
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_frame(slices)]
    dataset.StructureSetROISequence = [_roi(first.FrameOfReferenceUID)]
    contour = Dataset()
    contour.ReferencedROINumber = 1
    contour.ROIDisplayColor = [255, 0, 0]
    contour.ContourSequence = _contours(phantom.label, slices)
    dataset.ROIContourSequence = [contour]
    observation = items(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="GTV", ROIInterpreter="")
    dataset.RTROIObservationsSequence = [observation]
    dataset.ApprovalStatus = "UNAPPROVED"
    with atomic_path(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)


def _uid(*sources: object) -> UID:
    return generate_uid(entropy_srcs=["ctseg phantom", *map(str, sources)])


def _new_dataset(sop_class: UID, sop_instance: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_instance
    return dataset


def _file_names(index: int, count: int) -> list[str]:
    """Random file names; their ending (none, .dcm or .IMA) depends on the patient."""
    rng = np.random.default_rng([index, count])
    ending = ("", ".dcm", ".IMA")[index % 3]
    return [rng.bytes(8).hex() + ending for _ in range(count)]


def _ct_header(phantom: Phantom, index: int, feet_first: bool) -> FileDataset:
    """Header that all slices of a series share, except the pixel format."""
    grid = phantom.image.grid
    dataset = _new_dataset(CTImageStorage, UID(""))
    dataset.update(
        items(
            SpecificCharacterSet="ISO_IR 192",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            PatientName=f"Phantom^Number {index}",
            PatientID=phantom_case(index).upper(),
            PatientBirthDate=f"{1935 + index % 40}0615",
            PatientSex="FM"[index % 2],
            StudyInstanceUID=_uid("study", phantom.seed, index),
            SeriesInstanceUID=_uid("series", phantom.seed, index),
            FrameOfReferenceUID=_uid("frame", phantom.seed, index),
            PositionReferenceIndicator="",
            StudyDate="20200101",
            StudyTime="120000",
            StudyID="1",
            AccessionNumber="",
            ReferringPhysicianName="",
            Modality="CT",
            Manufacturer="ctseg",
            ManufacturerModelName="phantom",
            SeriesNumber=2,
            SeriesDescription="Chest",
            PatientPosition="FFS" if feet_first else "HFS",
            KVP=120,
            ConvolutionKernel="STANDARD",
            SliceThickness=f"{grid.spacing_xyz_mm[2]:.2f}",
            PixelSpacing=[f"{grid.spacing_xyz_mm[1]:.4f}", f"{grid.spacing_xyz_mm[0]:.4f}"],
            ImageOrientationPatient=[-1 if feet_first else 1, 0, 0, 0, 1, 0],
            AcquisitionNumber=1,
            RescaleIntercept=INTERCEPT_HU,
            RescaleSlope=1,
            RescaleType="HU",
            WindowCenter=-600,
            WindowWidth=1500,
        )
    )
    return dataset


def _set_pixel_format(header: FileDataset, signed: bool) -> None:
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = (16, 16, 15) if signed else (16, 12, 11)
    header.PixelRepresentation = int(signed)
    header.add_new("PixelPaddingValue", "SS" if signed else "US", RAW_PADDING if signed else 0)


def _stored(volume: Volume, signed: int) -> np.ndarray:
    """Stored pixel values, int16 if `signed`, else uint16, `[z, y, x]`."""
    stored = np.clip(volume.voxels_zyx - INTERCEPT_HU, 0, 4095)
    if not signed:
        return stored.astype("<u2")
    return np.where(_outside(volume), RAW_PADDING, stored).astype("<i2")


def _outside(volume: Volume) -> np.ndarray:
    """Mask of exact air in every slice, the corners outside the round field of view: boolean `[1, y, x]`."""
    return (volume.voxels_zyx == AIR_HU).all(axis=0, keepdims=True)


def _set_slice(header: FileDataset, volume: Volume, k: int, index: int) -> None:
    """Set the elements of slice k. Slices of odd patients are numbered from the other end."""
    number = k + 1 if index % 2 == 0 else volume.grid.shape_zyx[0] - k
    position = volume.grid.points_xyz_mm(np.array([[k, 0, 0]]))[0]
    header.SOPInstanceUID = _uid("slice", header.SeriesInstanceUID, k)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.InstanceNumber = number
    header.ImagePositionPatient = [f"{value:.4f}" for value in position]
    header.SliceLocation = f"{position[2]:.4f}"


def _save(header: FileDataset, plane: np.ndarray, path: Path) -> None:
    header.Rows, header.Columns = plane.shape
    header.PixelData = np.ascontiguousarray(plane).tobytes()
    header.save_as(path, enforce_file_format=True)


def _save_localizer(phantom: Phantom, index: int, header: FileDataset, path: Path) -> None:
    """Write a frontal view as a separate series; the header is overwritten."""
    image = phantom.image
    stored = np.clip(image.voxels_zyx[::-1].mean(axis=1, dtype=np.float32) - INTERCEPT_HU, 0, 4095)
    position = image.grid.points_xyz_mm(np.array([[image.grid.shape_zyx[0] - 1, 0, 0]]))[0]
    _set_pixel_format(header, signed=False)
    header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    header.SeriesInstanceUID = _uid("localizer", phantom.seed, index)
    header.SOPInstanceUID = _uid("localizer image", phantom.seed, index)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.update(items(SeriesNumber=1, SeriesDescription="Scout", InstanceNumber=1))
    header.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    header.ImagePositionPatient = [f"{value:.4f}" for value in position]
    header.PixelSpacing = [header.SliceThickness, header.PixelSpacing[1]]
    del header.SliceLocation
    _save(header, stored.astype("<u2"), path)


def _referenced_frame(slices: list[FileDataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    series.ContourImageSequence = [_image_reference(header) for header in slices]
    study = items(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=slices[0].StudyInstanceUID)
    study.RTReferencedSeriesSequence = [series]
    frame = items(FrameOfReferenceUID=slices[0].FrameOfReferenceUID)
    frame.RTReferencedStudySequence = [study]
    return frame


def _image_reference(header: FileDataset) -> Dataset:
    return items(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _roi(frame_uid: str) -> Dataset:
    return items(
        ROINumber=1, ReferencedFrameOfReferenceUID=frame_uid, ROIName=ROI_NAME, ROIGenerationAlgorithm="AUTOMATIC"
    )


def _contours(label: Volume, slices: list[FileDataset]) -> list[Dataset]:
    """One item per closed contour. `slices` ascend in z, like the slices of the label."""
    contours = []
    for k in np.flatnonzero(label.voxels_zyx.any(axis=(1, 2))):
        for outline_yx in slice_contours(label.voxels_zyx[k]):
            indices = np.column_stack([np.full(len(outline_yx), k), outline_yx])
            points = label.grid.points_xyz_mm(indices)
            contour = items(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points))
            contour.ContourData = [f"{value:.3f}" for value in points.ravel()]
            contour.ContourImageSequence = [_image_reference(slices[k])]
            contours.append(contour)
    return contours
