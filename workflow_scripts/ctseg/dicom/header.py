"""Finding the DICOM files of a folder and reading their headers.

`read_header` keeps only the elements in `TAGS`: not the patient's name, number or birth date, nor the study date. Keyed
hashes show whether two objects name the same patient, frame of reference or instance; they have no meaning outside this
process.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from ctseg.errors import ScanError
from ctseg.file_types import DICOM_SUFFIXES
from ctseg.folders import visible_paths, walk_files

# Values that break the standard are common, and the warnings of pydicom would quote them in the logs.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
TAGS = [
    "AcquisitionNumber",
    "BitsAllocated",
    "BitsStored",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "Columns",
    "ContrastBolusAgent",
    "ConvolutionKernel",
    "GantryDetectorTilt",
    "HighBit",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "KVP",
    "LossyImageCompression",
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    "NominalPercentageOfCardiacPhase",
    "NumberOfFrames",
    "PatientPosition",
    "PerFrameFunctionalGroupsSequence",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SamplesPerPixel",
    "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence",
    "SliceThickness",
    "TemporalPositionIdentifier",
    "TriggerTime",
]
TAG_NUMBERS = [Tag(keyword) for keyword in TAGS]  # looked up once, not for each file
PATIENT_ID, FRAME_OF_REFERENCE, INSTANCE = (
    Tag(name) for name in ("PatientID", "FrameOfReferenceUID", "SOPInstanceUID")
)
FORGOTTEN = [PATIENT_ID, FRAME_OF_REFERENCE, INSTANCE]
PATIENT_KEY = os.urandom(32)  # exists only in this process, so hashes cannot be traced to a patient later


@dataclass(frozen=True)
class Header:
    """One image without its pixels; `dataset` has the elements in `TAGS`, or all from `open_dicom` without `tags`.

    `is_directory` is true for a DICOMDIR; `pixels_at` is the byte at which the pixel element begins, if the file has
    this element and is not deflated. `frame` is the index of an image in a multi-frame file, from 0; it is None for a
    file that is not split into frames. `patient`, `frame_of_reference` and `instance` are stand-ins for the file's
    identifiers, valid while this process runs; they are empty if the file has none.
    """

    path: Path
    dataset: pydicom.Dataset
    is_directory: bool
    syntax: UID | None
    implicit_vr: bool
    little_endian: bool
    pixels_at: int
    frame: int | None = None
    patient: str = ""
    frame_of_reference: str = ""
    instance: str = ""

    def value(self, keyword: str) -> Any:
        """The value of an element, None if it is missing, empty or damaged; a value is parsed only on request."""
        try:
            value = self.dataset.get(keyword)
            return None if value == "" else value
        except Exception:  # a damaged value can make the parser fail in any way
            return None

    def text(self, keyword: str) -> str:
        """The value of an element as text, empty when there is none."""
        value = self.value(keyword)
        return "" if value is None else str(value).strip()

    def texts(self, keyword: str) -> list[str]:
        """The values of an element that may have several, as texts."""
        value = self.value(keyword)
        if isinstance(value, MultiValue | list):
            return [str(item) for item in value]
        return [] if value is None else [str(value)]

    @property
    def is_localizer(self) -> bool:
        """Whether the image is an overview (localizer, scout), which belongs to no stack of slices."""
        return "LOCALIZER" in self.text("ImageType").upper()

    @property
    def not_a_slice(self) -> str:
        """The reason why the image cannot be a slice of a CT, empty if it may be one."""
        if self.text("Modality") != "CT":
            return "not CT"
        if self.is_localizer:
            return "a localizer"
        if (self.text("SamplesPerPixel") or "1") != "1":
            return "a picture in colour"
        return "multi-frame without positions" if self.frame is None and self.is_multiframe else ""

    @property
    def is_multiframe(self) -> bool:
        """Whether the file holds several images."""
        return self.text("NumberOfFrames") not in ("", "0", "1")


def open_dicom(path: Path, tags: list[BaseTag] | None = None) -> Header | None:
    """Read the header of a DICOM file, or only the elements in `tags`; None if it is not a DICOM file.

    A file without the 128-byte preamble is read if its first element is of group 0002 or 0008. Raises ScanError if the
    file is missing, cannot be read, or is DICOM but cannot be parsed.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(132)
            bare = start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"
            if start[128:] != b"DICM" and not bare:
                return None
            stream.seek(0)
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags, force=bare)
            implicit_vr, little_endian = dataset.original_encoding
            syntax = dataset.file_meta.get("TransferSyntaxUID") or None
            is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == DICOMDIR_CLASS
            little_endian = little_endian is not False
            return Header(path, dataset, is_directory, syntax, bool(implicit_vr), little_endian, stream.tell())
    except FileNotFoundError:
        raise ScanError(f"{path} does not exist") from None
    except OSError as error:
        raise ScanError(f"{path} cannot be read: {error.strerror or 'the disk or network reports an error'}") from None
    except Exception:  # a damaged file can make the parser fail in any way
        raise ScanError(
            f"{path} cannot be read as DICOM: it is cut or damaged; copy it again from its source"
        ) from None


def read_header(path: Path) -> Header | None:
    """Read the header of a file; None if the file is not a DICOM object of a patient's study.

    Raises ScanError for a damaged file that should be DICOM: it might be a slice, so it cannot be ignored. An empty
    file returns None; see `empty_files`.
    """
    header = open_dicom(path, [*TAG_NUMBERS, *FORGOTTEN])
    if header is None:
        if path.suffix.lower() in DICOM_SUFFIXES and path.stat().st_size:
            raise ScanError(f"{path} is damaged: its name says DICOM, its content does not; copy it again")
        return None
    if path.name.upper() == "DICOMDIR" or header.is_directory:
        return None
    if header.text("Modality"):
        patient, frame_of_reference, instance = (_forget(header.dataset, tag) for tag in FORGOTTEN)
        return replace(header, patient=patient, frame_of_reference=frame_of_reference, instance=instance)
    if header.dataset.preamble is None and path.suffix.lower() not in DICOM_SUFFIXES:
        return None
    raise ScanError(f"{path} is a DICOM file without a modality: it is cut or damaged; replace or remove it")


def _forget(dataset: pydicom.Dataset, tag: BaseTag) -> str:
    """Remove an identifying element from a header and return its stand-in in this process."""
    element = dataset.pop(tag, None)
    return stand_in(getattr(element, "value", None))


def stand_in(identifier: object) -> str:
    """Keyed hash of a number or UID, valid while this process runs: equal for equal ones, empty for none."""
    number = identifier if isinstance(identifier, bytes) else str(identifier or "").encode()
    number = number.strip(b" \0")
    return hashlib.blake2b(number, key=PATIENT_KEY).hexdigest() if number else ""


def list_headers(folder: str | Path) -> list[Header]:
    """The headers of all DICOM files in and below `folder`, sorted by their paths.

    Names need no extension; hidden files and folders, DICOMDIR and other formats are skipped. Raises ScanError if the
    folder is missing, a folder cannot be listed or a file is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ScanError(f"{root} is not a folder; a DICOM scan is given by the folder that holds its slices")
    headers = (read_header(path) for path in sorted(walk_files(root, _refuse_unreadable)) if path.is_file())
    return [header for header in headers if header is not None]


def _refuse_unreadable(error: OSError) -> None:
    """Raise ScanError for a folder that cannot be listed: its slices would be lost."""
    raise ScanError(
        f"the folder {error.filename} cannot be read: {error.strerror}; give yourself the right to read it, or move it "
        "away if it holds no slice of the scan"
    )


def empty_files(folders: Iterable[Path]) -> list[Path]:
    """Files of 0 bytes in folders (not below them) with names of slices: their copying may have failed."""
    found = sorted(path for folder in folders for path in visible_paths(folder) if path.is_file())
    return [path for path in found if _may_be_slice(path) and not path.stat().st_size]


def _may_be_slice(path: Path) -> bool:
    """Whether a file name has the suffix of a DICOM file, a suffix without letters, or none."""
    suffix = path.suffix.lower()
    return suffix in DICOM_SUFFIXES or not any(letter.isalpha() for letter in suffix)
