"""Finding the DICOM files of a folder and choosing the one CT series among them.

Only headers are read here, and of these only the elements in `TAGS`: a patient's name, number or dates are not loaded.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.tag import BaseTag, Tag

from ctseg.errors import InputError

# Values that break the standard are common, and the warnings of pydicom would quote them in the logs.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
TAGS = [
    "BitsAllocated",
    "BitsStored",
    "BurnedInAnnotation",
    "Columns",
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
    "NumberOfFrames",
    "PatientPosition",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "SeriesInstanceUID",
    "SliceThickness",
]
TAG_NUMBERS = [Tag(keyword) for keyword in TAGS]  # looked up once, not once a file


@dataclass(frozen=True)
class Header:
    """One DICOM file without its pixels; `dataset` holds the elements named in `TAGS`.

    `pixels_at` is the byte at which the element of the pixels begins, if the file has it and is not deflated.
    """

    path: Path
    dataset: pydicom.FileDataset
    pixels_at: int

    def text(self, keyword: str) -> str:
        """The value of an element as text, empty when it is missing or damaged."""
        try:
            return str(self.dataset.get(keyword) or "").strip()
        except (ValueError, TypeError):
            return ""

    def texts(self, keyword: str) -> list[str]:
        """The values of an element that may have several, as texts."""
        value = self.dataset.get(keyword) or []
        return [str(item) for item in ([value] if isinstance(value, str) else value)]

    @property
    def is_localizer(self) -> bool:
        """Whether the image is an overview (scout), which lies in no stack of slices."""
        return "LOCALIZER" in self.text("ImageType").upper()

    @property
    def is_slice(self) -> bool:
        """Whether the file may be one grey slice of a CT; not so a localizer, a report or a screenshot."""
        samples = self.text("SamplesPerPixel") or "1"
        return self.text("Modality") == "CT" and not self.is_localizer and samples == "1" and not self.is_multiframe

    @property
    def is_multiframe(self) -> bool:
        """Whether the file holds several images."""
        return self.text("NumberOfFrames") not in ("", "0", "1")


@dataclass(frozen=True)
class Series:
    """The chosen slices, in the order of their file names, and how many CT series there were to choose from."""

    folder: Path
    headers: list[Header]
    n_found: int


def open_dicom(path: Path, tags: list[BaseTag] | None = None) -> Header | None:
    """Read the header of a DICOM file, or only the elements in `tags`; None when it is no DICOM file.

    A file without the 128-byte preamble is read when it begins like one. Raises InputError when the file is DICOM but
    cannot be parsed, or cannot be read at all.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(132)
            bare = start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"
            if start[128:] != b"DICM" and not bare:
                return None
            stream.seek(0)
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags, force=bare)
            return Header(path, dataset, stream.tell())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'the disk or network reports an error'}") from None
    except Exception:  # a damaged file can make the parser fail in any way
        raise InputError(
            f"{path} cannot be read as DICOM: it is cut or damaged; copy it again from its source"
        ) from None


def read_header(path: Path) -> Header | None:
    """Read the header of a file, or None when it is no DICOM object that belongs to a patient's study.

    Raises InputError for a file that should be DICOM and is damaged: it might be a slice, so it cannot be ignored.
    """
    header = open_dicom(path, TAG_NUMBERS)
    if header is None:
        if path.suffix.lower() in DICOM_SUFFIXES:
            raise InputError(f"{path} is empty or damaged: its name says DICOM, its content does not")
        return None
    dataset = header.dataset
    if path.name.upper() == "DICOMDIR" or dataset.file_meta.get("MediaStorageSOPClassUID") == DICOMDIR_CLASS:
        return None
    if header.text("Modality"):
        return header
    if dataset.preamble is None and path.suffix.lower() not in DICOM_SUFFIXES:
        return None
    raise InputError(f"{path} is a DICOM file without a modality: it is cut or damaged; replace or remove it")


def list_headers(folder: str | Path) -> list[Header]:
    """The headers of all DICOM files in and below `folder`, in the order of their paths.

    Names need no extension; hidden files, DICOMDIR and other formats are passed over. Raises InputError when the folder
    is missing or a file is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root} is no folder; a DICOM scan is given by the folder that holds its slices")
    paths = sorted(path for path in root.rglob("*") if not path.name.startswith(".") and path.is_file())
    headers = (read_header(path) for path in paths)
    return [header for header in headers if header is not None]


def choose_series(folder: str | Path, series_uid: str | None = None) -> Series:
    """Choose one CT series of a folder: the one asked for, or the one with most slices.

    Series are told apart by SeriesInstanceUID (which may be empty). Localizers, screenshots and series of a single
    image are left out. Raises InputError when no series remains or the one asked for is not there.
    """
    root = Path(folder)
    headers = list_headers(root)
    groups: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        if header.is_slice:
            groups[header.text("SeriesInstanceUID")].append(header)
    stacks = {uid: group for uid, group in groups.items() if len(group) > 1}
    if not stacks:
        raise InputError(f"{root} holds no CT series of several slices: {_contents(headers)}")
    if not series_uid:
        series_uid = min(stacks, key=lambda uid: (-len(stacks[uid]), uid))
    if series_uid not in stacks:
        raise InputError(
            f"the series asked for by its series_uid is not among the {len(stacks)} CT series of {root}; "
            "correct the series_uid, or leave it out to take the series with most slices"
        )
    return Series(root, stacks[series_uid], len(stacks))


def _contents(headers: list[Header]) -> str:
    """What a folder holds instead of a CT series, for a message."""
    if not headers:
        return "there is no DICOM file in it"
    counts: dict[str, int] = defaultdict(int)
    for header in headers:
        kind = header.text("Modality")
        kind += " localizer" if header.is_localizer else " multi-frame" if header.is_multiframe else ""
        counts[kind] += 1
    return "found " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
