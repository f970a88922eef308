"""Enhanced multi-frame CT: one file that holds a whole stack of slices (PS3.3 A.38, C.7.6.16)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, MultiFrameGrayscaleWordSecondaryCaptureImageStorage, generate_uid

from ctseg.dicom.header import TAGS, Header
from ctseg.errors import ScanError

# Elements of functional groups that have another name in single slices.
RENAMED = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
}
SHARED, PER_FRAME = GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# What a decoder needs for the stored values.
PIXEL_ELEMENTS = ["SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns", "BitsAllocated"]
PIXEL_ELEMENTS += ["BitsStored", "HighBit", "PixelRepresentation", "PixelData"]


def frames_of(header: Header) -> list[Header]:
    """One header per frame of an enhanced CT; any other image is returned unchanged, as the only header.

    The functional groups of a frame are flattened, so that a frame reads like a file of its own; an enhanced CT may
    have a single frame. A multi-frame file without groups per frame (a screen capture, a film) has no positions of its
    frames and stays whole. Raises ScanError for damaged groups, and for more or fewer groups than frames.
    """
    frames = header.value(PER_FRAME)
    if not frames and header.value(SHARED) and not header.is_multiframe:
        frames = [pydicom.Dataset()]
    if header.text("Modality") != "CT" or not frames:
        return [header]
    try:
        if len(frames) != int(header.text("NumberOfFrames") or len(frames)):
            raise ValueError
        return _laid_flat(header, frames)
    except Exception:  # a damaged group can make the parser fail in any way
        raise ScanError(f"{header.path} has damaged functional groups; copy it again from its source") from None


@contextmanager
def pixels_alone(path: Path, syntax: UID) -> Iterator[Path]:
    """A temporary copy of a DICOM file, with its pixels but without rescaling, functional groups and patient.

    GDCM rescales all frames of an enhanced CT with the slope and intercept of the first; from the copy it reads the
    stored values. Raises any exception if the file is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of a cut file with its path, and then gives no pixels
        dataset = pydicom.dcmread(path, specific_tags=PIXEL_ELEMENTS, force=True)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage, generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    with TemporaryDirectory(prefix="ctseg-") as folder:
        copy = Path(folder) / "pixels.dcm"
        dataset.save_as(copy, enforce_file_format=True)
        yield copy


def _laid_flat(header: Header, frames: pydicom.Sequence) -> list[Header]:
    common = pydicom.Dataset()
    for element in header.dataset:
        if element.VR != "SQ":
            common.add(element)
    for group in header.value(SHARED) or []:
        common.update(_elements(group))
    return [replace(header, dataset=_frame(common, group), frame=index) for index, group in enumerate(frames)]


def _frame(common: pydicom.Dataset, group: pydicom.Dataset) -> pydicom.Dataset:
    """The elements common to all frames, updated with those of one frame's group."""
    frame = pydicom.Dataset()
    frame.update(common)
    frame.update(_elements(group))
    return frame


def _elements(group: pydicom.Dataset) -> pydicom.Dataset:
    """The elements in `TAGS` of all macros of a functional group, under their names in single slices.

    The first of several macros counts: that of a second X-ray tube comes after that of the first.
    """
    found = pydicom.Dataset()
    for keyword, value in _values(group):
        if keyword not in found and value not in (None, ""):
            setattr(found, keyword, value)
    return found


def _values(group: pydicom.Dataset) -> Iterator[tuple[str, object]]:
    for macro in group:
        standard = macro.VR == "SQ" and not macro.tag.is_private
        for element in macro.value[0] if standard and macro.value else []:
            keyword = RENAMED.get(element.keyword, element.keyword)
            if keyword in TAGS and keyword not in GROUPS:
                yield keyword, element.value
    for anatomy in group.get("FrameAnatomySequence", []):
        for region in anatomy.get("AnatomicRegionSequence", []):
            yield "BodyPartExamined", region.get("CodeMeaning")
    given = [usage.get("ContrastBolusAgentAdministered") for usage in group.get("ContrastBolusUsageSequence", [])]
    if given:
        yield "ContrastBolusAgent", "YES" if "YES" in given else "NO"
