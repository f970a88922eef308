"""A segmentation as an RTSTRUCT: closed contours of each class on the source's slices (PS3.3 A.19, C.8.8.5, C.8.8.6).

Contours run halfway between the voxels inside and outside, so `labels.rtstruct` reads the same voxels from them. Holes
are joined to the outline around them. Planes of a resampled volume without a slice (gaps) are left out.
"""

from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from ctseg.colours import class_colour
from ctseg.dicom.dataset import items
from ctseg.dicom_export.coded_terms import term_of
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.slice_outlines import outlines_on_slices
from ctseg.dicom_export.source_series import Source
from ctseg.version import VERSION

SERIES_NUMBER = 9002
STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"  # the retired class with which PS3.3 C.8.8.5 still refers to a study


def make_rtstruct(source: Source, findings: Findings) -> Dataset:
    """The RTSTRUCT in the source's study and frame of reference, without the identity that `claim` adds."""
    now, first = datetime.now(), source.images[0]
    dataset = items(
        SOPClassUID=RTStructureSetStorage,
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID=first.StudyInstanceUID,
        SeriesInstanceUID=generate_uid(),
        SeriesNumber=SERIES_NUMBER,
        SeriesDescription="ctseg contours",
        InstanceNumber=1,
        Modality="RTSTRUCT",
        OperatorsName=None,
        Manufacturer="ctseg",
        ManufacturerModelName="ctseg",
        SoftwareVersions=VERSION,
        DeviceSerialNumber=findings.model_hash[:16],
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        PositionReferenceIndicator=first.get("PositionReferenceIndicator"),
        StructureSetLabel="SEGMENTATION",
        StructureSetDescription=f"Automatic segmentation; SHA-256 of the model {findings.model_hash}",
        StructureSetDate=now.strftime("%Y%m%d"),
        StructureSetTime=now.strftime("%H%M%S"),
        ApprovalStatus="UNAPPROVED",
        ReferencedFrameOfReferenceSequence=[_frame_of_reference(source)],
    )
    # Implicit VR: an explicit VR would limit the text of a contour to 64 kB.
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    _add_rois(dataset, source, findings)
    return dataset


def _add_rois(dataset: Dataset, source: Source, findings: Findings) -> None:
    """Add an ROI for each class, in place; an ROI without voxels has no contours."""
    dataset.StructureSetROISequence, dataset.ROIContourSequence, dataset.RTROIObservationsSequence = [], [], []
    contours = _contours(source, findings)
    for number, name in enumerate(findings.names, start=1):
        roi = items(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=source.images[0].FrameOfReferenceUID,
            ROIName=name,
            ROIGenerationAlgorithm="AUTOMATIC",
        )
        outlines = items(ROIDisplayColor=list(bytes.fromhex(class_colour(number)[1:])), ReferencedROINumber=number)
        if contours[number]:
            outlines.ContourSequence = contours[number]
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(outlines)
        dataset.RTROIObservationsSequence.append(_observation(number, name))


def _observation(number: int, name: str) -> Dataset:
    code = term_of(name).kind
    identification = items(
        CodeValue=code.value, CodingSchemeDesignator=code.scheme_designator, CodeMeaning=code.meaning
    )
    return items(
        ObservationNumber=number,
        ReferencedROINumber=number,
        RTROIIdentificationCodeSequence=[identification],
        RTROIInterpretedType=None,
        ROIInterpreter=None,
    )


def _contours(source: Source, findings: Findings) -> dict[int, list[Dataset]]:
    """The contours of each class, by the class number, slice by slice."""
    volume = findings.segmentation
    contours: dict[int, list[Dataset]] = {number: [] for number in range(1, len(findings.names) + 1)}
    for number, place, points in outlines_on_slices(volume.voxels_zyx, volume.grid, source):
        contour = items(
            ContourImageSequence=[_reference(source, place)],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(points),
            ContourData=[f"{value:.4f}" for value in points.ravel()],
        )
        contours[number].append(contour)
    return contours


def _reference(source: Source, place: int) -> Dataset:
    image = source.image_of(place)
    reference = items(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    if source.is_multiframe:
        reference.ReferencedFrameNumber = (source.slices[place].header.frame or 0) + 1
    return reference


def _frame_of_reference(source: Source) -> Dataset:
    """The reference to the frame of reference, study, series and images of the contours."""
    first = source.images[0]
    series = items(
        SeriesInstanceUID=first.SeriesInstanceUID,
        ContourImageSequence=[_reference(source, place) for place in range(len(source.slices))],
    )
    study = items(
        ReferencedSOPClassUID=STUDY_COMPONENT,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return items(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])
