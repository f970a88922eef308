"""Uploads of the page: their names and digests, unpacking, and the series in them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ctseg.dicom.grouping import Stack, find_stacks
from ctseg.errors import InputError
from serving.refused import Refused, disk_faults_told
from serving.settings import Settings
from serving.unpacking import ARCHIVES, is_left_out, numbered
from serving.uploads import too_large, unpack

SUFFIX = re.compile(r"(\.nii|\.seg)?\.(gz|nii|zip|dcm|dicom|ima|nrrd|mha)$", re.IGNORECASE)
LONGEST_STEM = 60
SHORTEST_PREFIX = 2  # letters that a common beginning of file names needs to be used


@dataclass(frozen=True)
class Upload:
    """An uploaded file: display name and bytes."""

    name: str
    data: bytes | memoryview


@dataclass(frozen=True)
class SeriesRow:
    """A CT series of the uploads, without identifying data except `uid`; `problem`: reason why it is no usable scan."""

    uid: str
    images: int
    slice_mm: float | None
    kernel: str
    part: str
    patient: int
    problem: str = ""


def digest_of(uploads: Sequence[Upload]) -> str:
    """SHA-256 of the contents of some files, independent of their names and order; empty for no files."""
    each = sorted(hashlib.sha256(upload.data).hexdigest() for upload in uploads)
    return each[0] if len(each) == 1 else hashlib.sha256(" ".join(each).encode()).hexdigest() if each else ""


def scan_name(names: Sequence[str]) -> str:
    """Display name of some files: the name of a single file, else their folder or common beginning, and their count."""
    last = [PurePosixPath(name.replace("\\", "/")).name for name in names]
    if len(last) == 1:
        return last[0]
    folders = {str(PurePosixPath(name.replace("\\", "/")).parent) for name in names} - {"."}
    start = next(iter(folders)) if len(folders) == 1 else _beginning(last)
    return f"{start if len(start) >= SHORTEST_PREFIX else 'DICOM'} ({len(names)})"


def _beginning(names: Sequence[str]) -> str:
    """Common beginning of all names, without trailing zeros and separators."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).rstrip("-_. 0")


def file_stem(name: str) -> str:
    """Beginning of the names of the result files: letters, digits, `-` and `_` of the name of the scan."""
    stem = re.sub(r" \(\d+\)$", "", name)
    stem = re.sub(r"[^\w-]+", "_", SUFFIX.sub("", stem)).strip("_")
    return stem[:LONGEST_STEM] or "scan"


def unpack_all(uploads: Sequence[Upload], folder: Path, settings: Settings) -> Path:
    """Check uploads and write them into a folder; return the path for `ctseg.scans.read_scan.read_scan`.

    One file is a scan or a zip; several are the DICOM files of a folder. Raises InputError for invalid uploads, and if
    the disk fails.
    """
    try:
        with disk_faults_told():
            if len(uploads) == 1:
                upload = folder / "upload"
                upload.write_bytes(uploads[0].data)
                return unpack(upload, settings)
            return _dicom_files(uploads, folder / "dicom", settings)
    except Refused as error:
        raise InputError(str(error)) from None


def _dicom_files(uploads: Sequence[Upload], folder: Path, settings: Settings) -> Path:
    """Write several files with the names of `numbered`, without those of `is_left_out`.

    Raises Refused: too many, too large, an archive or another format.
    """
    if len(uploads) > settings.max_entries:
        raise Refused(413, f"these are more than the {settings.max_entries} files that are taken at a time")
    if sum(len(upload.data) for upload in uploads) > settings.max_upload_bytes:
        raise too_large(settings.max_upload_bytes)
    folder.mkdir()
    for number, upload in enumerate(upload for upload in uploads if not is_left_out(upload.name)):
        if bytes(upload.data[:8]).startswith((*ARCHIVES, b"NRRD")) or upload.name.lower().endswith((".nii", ".mha")):
            raise Refused(422, "several files are taken as the slices of one DICOM folder; give any other scan alone")
        (folder / numbered(number, upload.name)).write_bytes(upload.data)
    return folder


def series_rows(folder: Path) -> tuple[SeriesRow, ...]:
    """CT series in a folder: usable ones first, then by falling number of images; patients are numbered from 1."""
    stacks: dict[str, list[Stack]] = {}
    for stack in find_stacks(folder):
        if stack.headers[0].text("Modality") == "CT":
            stacks.setdefault(stack.series_uid, []).append(stack)
    patients: dict[str, int] = {}
    rows = []
    for uid, parts in stacks.items():
        best = max(parts, key=lambda stack: (not stack.problem, len(stack.headers)))
        facts = best.facts()
        patient = patients.setdefault(best.patient, len(patients) + 1)
        kind = "/".join(best.image_type[:3])
        rows.append(
            SeriesRow(
                uid,
                sum(len(stack.headers) for stack in parts),
                facts["slice_distance_mm"],
                facts["kernel"] or "",
                kind,
                patient,
                best.problem,
            )
        )
    return tuple(sorted(rows, key=lambda row: (bool(row.problem), -row.images)))
