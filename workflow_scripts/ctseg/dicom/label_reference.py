"""References of a label: the patient, frames of reference, series and slices that it was drawn on.

RTSTRUCT and DICOM SEG name all of these, the XML of LIDC-IDRI names the series; other labels name nothing. Identifiers
are kept only as stand-ins (`header.stand_in`) and in a digest, so that they do not show who the patient is.
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
    """A stack of images, with the properties that a reference needs."""

    @property
    def series_uid(self) -> str:
        """The UID of the images' series."""

    @property
    def headers(self) -> list[Header]:
        """The headers of the images, at least one."""


AnyImages = TypeVar("AnyImages", bound=Images)


@dataclass(frozen=True)
class Reference:
    """Stand-ins for the objects that a label names; empty for those that it does not name.

    `frames` are the frames of reference that an RTSTRUCT lists, in the order of their UIDs, or that of a SEG;
    `own_frame` is the frame of reference at the top level of the file. `digest` is a hash of the UIDs of `frames` and
    `series`, equal in all processes, that shows only whether another process read the same UIDs.
    """

    patient: str = ""
    frames: tuple[str, ...] = ()
    own_frame: str = ""
    series: frozenset[str] = frozenset()
    slices: frozenset[str] = frozenset()
    digest: str = ""

    def narrowed(self, stacks: Sequence[AnyImages]) -> tuple[list[AnyImages], str]:
        """The stacks that the label names, and the kind of name ("series" …); all stacks and "" if none selects any."""
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
        """Relation of the label to the images that were taken, in plain JSON types.

        `patient`, `frame_of_reference` and `series` are "same", "another" or "not named"; `frames` has the indices of
        the images' frame of reference in the label's `frames`; `digest` is that of the label.
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
    """SAME, ANOTHER or NOT_NAMED for a stand-in of the images, compared with those that the label names."""
    return NOT_NAMED if not value or not named else SAME if value in named else ANOTHER


def read_reference(path: str | Path) -> Reference | None:
    """The reference of the label at `path`; None for a format that names nothing.

    Also None for a damaged label: the code that reads the label itself reports the damage.
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
    """The RTSTRUCT or SEG file at `path`, itself or the only one in the folder, and its kind, "RTSTRUCT" or "SEG".

    Raises LabelError if none or several exist, and ScanError if a file is damaged.
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
    """Sentences on the differences between a label and its image, from the stored `Reference.relation`.

    `relation` was stored when the image was read; `digest` is that of the label now. Raises LabelError for another
    patient or frame of reference unless `allowed`, and if the label has changed since the image was read: the digests
    differ.
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
    """Reference of an RTSTRUCT (PS3.3 C.8.8.5) or SEG (C.8.20, C.7.4.1); slices only if it names no series."""
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
    """A reference from stand-ins for `patient` and `own_frame`, and UIDs of frames, series and slices."""
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
