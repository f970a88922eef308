"""The source series of a segmentation: its slices, references to them, and its patient and study.

This is the only module that keeps patient and study in clear text, because a DICOM object that goes back to an archive
must name them. They are kept apart from the references, and are used only in the objects that `write` writes.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ctseg.dicom.dataset import items
from ctseg.dicom.series import Choice
from ctseg.dicom.slice import Slice
from ctseg.dicom.stack import distinct_slices, placement, usual_step_mm
from ctseg.errors import ScanError
from ctseg.geometry.volume import Grid, Volume

# Type 2 elements of the Patient and General Study modules must exist, but may be empty (PS3.3 C.7.1.1, C.7.2.1).
REQUIRED_OF_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
REQUIRED_OF_STUDY = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
REQUIRED = REQUIRED_OF_PATIENT + REQUIRED_OF_STUDY
IDENTITY = (
    *REQUIRED,
    "SpecificCharacterSet",
    "IssuerOfPatientID",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
)
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "SOPInstanceUID")
REFERENCED = (
    *UIDS,
    "Modality",
    "PositionReferenceIndicator",
    "LossyImageCompression",
    "LossyImageCompressionMethod",
    "LossyImageCompressionRatio",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True)
class Source:
    """The slices of a series, sorted as in its volume, and the images that contain them.

    `images` has a dataset without pixels and identity for each file: one per slice, or one multi-frame file. `identity`
    has the elements of patient and study.
    """

    slices: list[Slice]
    images: list[Dataset]
    identity: Dataset

    @property
    def is_multiframe(self) -> bool:
        """Whether all slices are in one multi-frame file."""
        return self.slices[0].header.frame is not None

    def image_of(self, place: int) -> Dataset:
        """The image that contains the slice with index `place`."""
        return self.images[0 if self.is_multiframe else place]


def read_source(choice: Choice) -> Source:
    """Read the references to the slices of a chosen stack, and its patient and study.

    Of equal slices at one place one is kept, as in their volume. Raises ScanError if UIDs are missing or inconsistent,
    or the stack is spread over several multi-frame files.
    """
    slices = distinct_slices(choice)
    paths = list(dict.fromkeys(part.path for part in slices))
    if len(paths) != (len(slices) if slices[0].header.frame is None else 1):
        raise ScanError(
            f"the scan in {choice.folder} is spread over several multi-frame files: DICOM cannot be written"
        )
    with quiet():
        images = [_read(path, REFERENCED) for path in paths]
        identity = _read(paths[0], IDENTITY)
    _require_uids(images, choice)
    for image, part in zip(images, slices, strict=False):
        _complete(image, part, slices)
    return Source(slices, images, identity)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings: those of pydicom quote values such as names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def claim(dataset: Dataset, source: Source) -> None:
    """Add the patient and the study of the source to an object, in place; the object's texts become UTF-8."""
    for keyword in IDENTITY:
        if source.identity.get(keyword):
            dataset[keyword] = source.identity[keyword]
        elif keyword in REQUIRED:
            setattr(dataset, keyword, None)
    dataset.SpecificCharacterSet = "ISO_IR 192"


def planes_of(grid: Grid, source: Source) -> list[int]:
    """The index of the plane of `grid` for each slice; the nearest plane if the grid was resampled.

    Raises ScanError if the grid is not that of the source's volume.
    """
    starts = _starts(grid, source)
    planes = np.rint(starts[:, 0]).astype(int)
    rows_columns = np.array([part.shape_yx for part in source.slices])
    spacing_off = np.abs(np.divide(grid.spacing_xyz_mm[:2], source.slices[0].spacing_xy_mm) - 1).max()
    ends = np.rint(starts[:, 1:]) + rows_columns
    outside = (np.rint(starts) < 0).any() or (ends > grid.shape_zyx[1:]).any() or (planes >= grid.shape_zyx[0]).any()
    if outside or spacing_off > 1e-3:
        raise ScanError(
            f"the segmentation does not lie on the slices of {source.slices[0].path.parent}: it covers "
            f"{grid.box_text()}; it must come from this scan"
        )
    return planes.tolist()


def labels_on_slices(labels: Volume, source: Source) -> np.ndarray:
    """The classes at the pixels of each slice: uint8 `[slice, row, column]`.

    If the volume was resampled (a tilted gantry, gaps), each pixel takes the class of the nearest voxel of the nearest
    plane; otherwise voxels and pixels are the same.
    """
    planes = planes_of(labels.grid, source)
    found = np.empty((len(planes), *source.slices[0].shape_yx), dtype=np.uint8)
    rows, columns = source.slices[0].shape_yx
    for place, (_, y, x) in enumerate(np.rint(_starts(labels.grid, source)).astype(int)):
        found[place] = labels.voxels_zyx[planes[place], y : y + rows, x : x + columns]
    return found


def _starts(grid: Grid, source: Source) -> np.ndarray:
    """Indices of the first pixel of each slice, float `[slice, zyx]`; the axes of slices and grid are parallel."""
    return grid.indices_zyx(np.stack([part.position_xyz_mm for part in source.slices]))


def _require_uids(images: list[Dataset], choice: Choice) -> None:
    """Raise ScanError if a UID is missing or inconsistent, so that no object can refer to all images."""
    for keyword in UIDS:
        values = [str(image.get(keyword) or "") for image in images]
        each = keyword == "SOPInstanceUID"
        if "" in values or len(set(values)) != (len(values) if each or len(values) == 1 else 1):
            what = "lack" if "" in values else "share" if each else "differ in"
            raise ScanError(
                f"the slices in {choice.folder} {what} their {keyword}: no DICOM object can refer to them; leave out "
                "the case (cases.exclude), or write no DICOM (infer.dicom: false, predict without --dicom)"
            )


def _complete(image: Dataset, part: Slice, slices: list[Slice]) -> None:
    """Add elements that may be missing or differ by rounding, and empty elements of identity, to an image, in place."""
    first, steps_mm = slices[0], placement(slices).steps_mm
    thickness_mm = image.get("SliceThickness") or round(usual_step_mm(steps_mm), 6)
    orientation = items(ImageOrientationPatient=_decimals(first.rows_columns.ravel()))
    measures = items(PixelSpacing=_decimals(first.spacing_xy_mm[::-1]), SliceThickness=thickness_mm)
    if np.ptp(steps_mm) <= 0.01 * steps_mm.mean():
        measures.SpacingBetweenSlices = _decimals([steps_mm.mean()])[0]
    if part.header.frame is None:
        image.update(orientation)
        image.update(measures)
    else:
        shared = image.setdefault("SharedFunctionalGroupsSequence", [Dataset()]).value[0]
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    image.Rows, image.Columns = part.shape_yx
    for keyword in REQUIRED:
        setattr(image, keyword, None)


def _decimals(values: np.ndarray | list[float] | tuple[float, ...]) -> list[pydicom.valuerep.DSfloat]:
    """Numbers as DICOM writes them, in 16 characters at most."""
    return [pydicom.valuerep.DSfloat(float(value), auto_format=True) for value in values]


def _read(path: Path, keywords: tuple[str, ...]) -> Dataset:
    """The elements `keywords` of a file, with decoded texts, as a dataset without file information."""
    found, kept = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(keywords)), Dataset()
    found.decode()
    for keyword in keywords:
        if keyword in found:
            kept[keyword] = found[keyword]
    return kept
