"""What a label says that it was drawn on: a patient, frames of reference, series and slices.

RTSTRUCT and DICOM SEG name them, the XML of LIDC-IDRI names the series; other labels name nothing. All of it is kept as
stand-ins (`header.stand_in`), so that nothing here can tell who the patient is.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ctseg.dicom.header import Header, list_headers, open_dicom, stand_in
from ctseg.dicom.lidc_header import SERIES_UID, head_of
from ctseg.errors import LabelError
from ctseg.file_types import is_volume_file

SAME, ANOTHER, NOT_NAMED = "same", "another", "not named"
KINDS = ("RTSTRUCT", "SEG")


class Images(Protocol):
    """What is asked of a stack of images."""

    @property
    def series_uid(self) -> str:
        """The UID of their series."""

    @property
    def headers(self) -> list[Header]:
        """Their headers, at least one."""


AnyImages = TypeVar("AnyImages", bound=Images)


@dataclass(frozen=True)
class Reference:
    """Stand-ins for what a label names; empty for what it does not name.

    `frames` are those that an RTSTRUCT lists, in the order of their UIDs, or that of a SEG; `own_frame` stands at the
    top of the file. `digest` tells whether another process read the same names, and nothing else.
    """

    patient: str = ""
    frames: tuple[str, ...] = ()
    own_frame: str = ""
    series: frozenset[str] = frozenset()
    slices: frozenset[str] = frozenset()
    digest: str = ""

    def narrowed(self, stacks: Sequence[AnyImages]) -> tuple[list[AnyImages], str]:
        """Those of the stacks that the label means, all where it names none of them; and what the label names."""
        ways = {
            "series": lambda images: self._names_series(images),
            "frame of reference": lambda images: _frame(images) in {*self.frames, self.own_frame} - {""},
            "patient": lambda images: self.patient != "" and images.headers[0].patient == self.patient,
        }
        for what, fits in ways.items():
            meant = [images for images in stacks if fits(images)]
            if meant and (what != "patient" or len(meant) < len(stacks)):
                return meant, what
        return list(stacks), ""

    def relation(self, images: Images) -> dict[str, Any]:
        """How the label relates to the images that were taken, in plain JSON types.

        `patient`, `frame_of_reference` and `series` are same, another or not named; `frames` has the places of the
        images' frame of reference among those that the label lists.
        """
        frame, patient = _frame(images), images.headers[0].patient
        named = {*self.frames, self.own_frame} - {""}
        series = SAME if self._names_series(images) else ANOTHER if self.series or self.slices else NOT_NAMED
        return {
            "patient": _compared(patient, {self.patient} - {""}),
            "frame_of_reference": _compared(frame, named),
            "series": series,
            "frames": [place for place, other in enumerate(self.frames) if other == frame],
            "digest": self.digest,
        }

    def _names_series(self, images: Images) -> bool:
        slices = {header.instance for header in images.headers} if self.slices else set()
        return stand_in(images.series_uid) in self.series or bool(slices & self.slices)


def _frame(images: Images) -> str:
    return images.headers[0].frame_of_reference


def _compared(value: str, named: set[str]) -> str:
    """How a stand-in of the images compares with those that the label names."""
    return NOT_NAMED if not value or not named else SAME if value in named else ANOTHER


def read_reference(path: str | Path) -> Reference | None:
    """What the label at `path` was drawn on; None for a format that names nothing.

    None for a damaged label, too: whoever reads the label itself tells what is wrong with it.
    """
    source = Path(path)
    if is_volume_file(source) or source.suffix.lower() == ".csv":
        return None
    if source.suffix.lower() == ".xml":
        found = SERIES_UID.search(head_of(source))
        return _reference(series=[found[1].decode()]) if found else None
    try:
        file, kind = dicom_label(source)
        header = open_dicom(file)
        return _of_dicom(header.dataset, kind) if header else None
    except Exception:  # sequences are only parsed here, and a damaged file can make the parser fail in any way
        return None


def dicom_label(path: Path) -> tuple[Path, str]:
    """The RTSTRUCT or SEG file at `path`, itself or the only one in the folder, and which of both it is.

    Raises LabelError where there is none, or several.
    """
    if not path.is_dir():
        header = open_dicom(path)
        kind = header.text("Modality") if header else "no DICOM"
        if kind in KINDS:
            return path, kind
        raise LabelError(
            f"{path} is not a label that ctseg reads ({kind}): give NIfTI, NRRD, MHA, MHD, RTSTRUCT, DICOM SEG, or the "
            "XML or CSV of an archive"
        )
    kinds = {header.path: header.text("Modality") for header in list_headers(path)}
    found = {file: kind for file, kind in kinds.items() if kind in KINDS}
    if len(found) != 1:
        counts = [f"{list(found.values()).count(kind)} {kind} files" for kind in KINDS]
        raise LabelError(f"{path} holds {' and '.join(counts)}; give the file itself")
    return next(iter(found.items()))


def require_relation(
    relation: Mapping[str, Any], digest: str, allowed: bool, label_name: str, image_name: str
) -> list[str]:
    """Sentences on what a label does not share with its image, from `Reference.relation` when the image was read.

    Raises LabelError for another patient or frame of reference unless that is `allowed`, and where the label named
    something else when the image was read: its `digest` is another one.
    """
    if relation["digest"] != digest:
        raise LabelError(
            f"{label_name} was changed and names another series or frame of reference than when its scan was "
            f"converted; convert the scan again: snakemake --cores all --forcerun {image_name}"
        )
    foreign = [
        f"{what} ({element})"
        for key, what, element in (
            ("patient", "patient", "PatientID"),
            ("frame_of_reference", "frame of reference", "FrameOfReferenceUID"),
        )
        if relation[key] == ANOTHER
    ]
    if foreign and not allowed:
        raise LabelError(
            f"{label_name} was drawn for another {' and another '.join(foreign)} than {image_name}, so its "
            "position is unknown; give scan and label that belong together (a series_uid in the case table has "
            "priority over the series that the label names). If they belong to one scan nevertheless, set "
            "convert.foreign_label: allow"
        )
    told = [f"the label names another {what} than its scan; convert.foreign_label allows it" for what in foreign]
    if relation["series"] == ANOTHER and relation["frame_of_reference"] == NOT_NAMED:
        told.append("the label names another series than its scan, and no frame of reference that both share")
    return told


def _of_dicom(dataset: Any, kind: str) -> Reference:
    """What an RTSTRUCT (PS3.3 C.8.8.5) or a SEG (C.8.20, C.7.4.1) names; slices only where it names no series."""
    if kind == "SEG":
        frames = [str(dataset.get("FrameOfReferenceUID") or "")]
        series = [str(item.get("SeriesInstanceUID") or "") for item in dataset.get("ReferencedSeriesSequence") or []]
    else:
        listed = dataset.get("ReferencedFrameOfReferenceSequence") or []
        frames = [str(item.get("FrameOfReferenceUID") or "") for item in listed]
        studies = [study for item in listed for study in item.get("RTReferencedStudySequence") or []]
        parts = [part for study in studies for part in study.get("RTReferencedSeriesSequence") or []]
        series = [str(part.get("SeriesInstanceUID") or "") for part in parts]
    return _reference(
        stand_in(dataset.get("PatientID")),
        frames,
        stand_in(dataset.get("FrameOfReferenceUID")),
        series,
        () if any(series) else _slices(dataset),
    )


def _reference(
    patient: str = "",
    frames: Iterable[str] = (),
    own_frame: str = "",
    series: Iterable[str] = (),
    slices: Iterable[str] = (),
) -> Reference:
    """Stand-ins for frames, series and slices that are given as UIDs."""
    listed = sorted(set(frames) - {""})
    named = sorted(set(series) - {""})
    digest = hashlib.sha256("\n".join(["frames", *listed, "series", *named]).encode()).hexdigest()[:16]
    return Reference(
        patient,
        tuple(map(stand_in, listed)),
        own_frame,
        frozenset(map(stand_in, named)),
        frozenset(filter(None, map(stand_in, slices))),
        digest,
    )


def _slices(dataset: Any) -> set[str]:
    """The UIDs of all images that a label refers to."""
    found: set[str] = set()
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
    return found
