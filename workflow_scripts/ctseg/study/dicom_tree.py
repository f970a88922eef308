"""Cases of a tree of DICOM files, found by the file headers and not by the names of folders.

A downloaded archive (PATIENT/STUDY/SERIES with numbers that no pattern fits) and one flat folder with the files of all
patients are read in the same way.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from ctseg.dicom.header import Header, read_header
from ctseg.dicom.label_reference import ANOTHER, KINDS, read_reference
from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.plurals import counted
from ctseg.study.pseudonyms import looks_personal

FEWEST_IMAGES = 2  # least number of slices of a series


@dataclass(frozen=True)
class Series:
    """A CT series: the headers of its files, and an identifier of its patient from a header or a folder."""

    headers: list[Header]
    patient: str

    @property
    def series_uid(self) -> str:
        """The UID of the series."""
        return self.headers[0].text("SeriesInstanceUID")

    @property
    def session(self) -> tuple[str, str]:
        """Identifiers of patient and frame of reference; series that share both show the same patient position."""
        return self.patient, self.headers[0].frame_of_reference

    @cached_property
    def images(self) -> int:
        """The number of slices according to the headers."""
        return sum(int(header.text("NumberOfFrames") or 1) if header.is_multiframe else 1 for header in self.headers)

    @cached_property
    def folder(self) -> Path:
        """The folder with most of the files."""
        return _folder_of(self.headers)


@dataclass
class Tree:
    """CT series and label files of a tree, the folders with several CT series, and the number of damaged files.

    With `by_folder` each folder of the first level is taken for a patient, because all files name the same patient.
    """

    series: list[Series] = field(default_factory=list)
    labels: list[Header] = field(default_factory=list)
    mixed: set[Path] = field(default_factory=set)
    damaged: int = 0
    by_folder: bool = False


@dataclass(frozen=True)
class Case:
    """A series with its label, if it has one."""

    series: Series
    label: Path | None = None


@dataclass
class Cases:
    """Rows of a case table, with paths in the form of the given files, and `reasons`: one line per note to the user."""

    rows: list[dict[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def cases_of(root: Path, files: Iterable[Path]) -> Cases:
    """Cases in the given files below `root`: each series with a label, and the longest series of each other session."""
    tree = read_tree(root, files)
    labels, reasons = _labels_of(tree)
    if tree.by_folder:
        reasons.append(f"patients: all files name one, so each folder in {root} is taken for a patient")
    cases = [Case(tree.series[place], header.path) for place, header in labels.items()]
    shown = {case.series.session for case in cases}
    for one in sorted(tree.series, key=lambda one: -one.images):
        if one.session not in shown:
            shown.add(one.session)
            cases.append(Case(one))
    if unused := len(tree.series) - len(cases):
        reasons.append(f"not used: {unused} CT series of a position with a longer or labelled one")
    if tree.damaged:
        reasons.append(f"not used: {counted(tree.damaged, 'damaged file')}")
    cases.sort(key=lambda case: str(case.series.headers[0].path))
    return Cases(_rows(root, cases, tree.mixed), reasons)


def read_tree(root: Path, files: Iterable[Path]) -> Tree:
    """CT series (of at least `FEWEST_IMAGES`) and label files among the given files below `root`."""
    tree = Tree()
    images: dict[str, list[Header]] = defaultdict(list)
    inside: dict[Path, set[str]] = defaultdict(set)
    for path in files:
        try:
            header = None if is_volume_file(path) else read_header(path)
        except InputError:
            tree.damaged += 1
            continue
        if header is None:
            continue
        if header.text("Modality") in KINDS:
            tree.labels.append(header)
        elif _is_image(header):
            images[header.text("SeriesInstanceUID")].append(header)
            inside[path.parent].add(header.text("SeriesInstanceUID"))
    tree.by_folder = _one_patient_in_folders(root, images.values())
    for headers in images.values():
        folder = _folder_of(headers)
        patient = folder.relative_to(root).parts[0] if tree.by_folder else headers[0].patient or str(folder)
        tree.series.append(Series(headers, patient))
    tree.series = [one for one in tree.series if one.images >= FEWEST_IMAGES]
    tree.mixed = {folder for folder, uids in inside.items() if len(uids) > 1}
    return tree


def _one_patient_in_folders(root: Path, series: Iterable[Sequence[Header]]) -> bool:
    """Whether all series name the same patient, as after anonymisation, but the folders belong to several patients.

    Folders that share a frame of reference belong to one patient.
    """
    patients = {headers[0].patient for headers in series}
    frames: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for headers in series:
        frames[_folder_of(headers).relative_to(root).parts[:1]].add(headers[0].frame_of_reference)
    apart = sum(map(len, frames.values())) == len(set().union(*frames.values()))
    return len(patients) == 1 and patients != {""} and () not in frames and len(frames) > 1 and apart


def _folder_of(headers: Sequence[Header]) -> Path:
    """The folder with most of the given files."""
    return Path(Counter(str(header.path.parent) for header in headers).most_common(1)[0][0])


def _is_image(header: Header) -> bool:
    """Whether a file has CT slices and is no localizer, according to its header."""
    return header.text("Modality") == "CT" and not header.is_localizer


def _labels_of(tree: Tree) -> tuple[dict[int, Header], list[str]]:
    """Label file of each labelled series, by the index of the series, and notes on unused label files.

    An RTSTRUCT is preferred to a SEG of the same series, because the RTSTRUCT is the drawn original if a tool exports
    both. Of several files of the same kind the last path is used.
    """
    found: dict[int, list[Header]] = defaultdict(list)
    strays = 0
    for header in tree.labels:
        meant = _meant(header.path, tree.series)
        if meant is None:
            strays += 1
        else:
            found[meant].append(header)
    reasons = [f"not used: {counted(strays, 'label file')} of no series here"] if strays else []
    if more := sum(len(headers) - 1 for headers in found.values()):
        reasons.append(f"not used: {counted(more, 'more label file')} of a series: the last RTSTRUCT is taken")
    return {place: max(headers, key=_rank) for place, headers in found.items()}, reasons


def _rank(header: Header) -> tuple[bool, str]:
    """Sort key of the labels of one series; the label with the largest key is used."""
    return header.text("Modality") == "RTSTRUCT", str(header.path)


def _meant(label: Path, series: Sequence[Series]) -> int | None:
    """Index of the series that a label names, or of the nearest if its names select none; the longest of several.

    None if the label has no readable reference, or if the series could belong to several patients.
    """
    reference = read_reference(label)
    if reference is None:
        return None
    fitting = [one for one in series if _may_belong(reference.relation(one))]
    meant, what = reference.narrowed(fitting)
    if not what:
        meant = _nearest(label, meant)
    if len({one.patient for one in meant}) != 1:
        return None
    longest = max(meant, key=lambda one: one.images)
    return next(place for place, one in enumerate(series) if one is longest)


def _may_belong(relation: Mapping[str, Any]) -> bool:
    """Whether a label with this relation to a series names no other patient and no other frame of reference."""
    return ANOTHER not in (relation["patient"], relation["frame_of_reference"])


def _nearest(label: Path, series: Sequence[Series]) -> list[Series]:
    """The series that share the longest folder path with a label."""
    shared = [len(Path(os.path.commonpath([label.parent, one.folder])).parts) for one in series]
    return [one for one, levels in zip(series, shared, strict=True) if levels == max(shared)]


def _rows(root: Path, cases: Sequence[Case], mixed: set[Path]) -> list[dict[str, str]]:
    """A table row for each case; names come from `patient_names`, with a number if a patient has several cases."""
    names = patient_names(root, [case.series for case in cases])
    counts = {name: names.count(name) for name in names}
    numbered = {name: _numbered(name, counts) for name in counts}
    rows = []
    for name, case in zip(names, cases, strict=True):
        several = counts[name] > 1
        row = {"case": next(numbered[name]) if several else name, "image": str(case.series.folder)}
        row |= {"patient": name} if several else {}
        row |= {"series_uid": case.series.series_uid} if case.series.folder in mixed else {}
        rows.append(row | ({"label": str(case.label)} if case.label else {}))
    return rows


def _numbered(name: str, others: Collection[str]) -> Iterator[str]:
    """`name` with 1, 2, …; without the names of `others`, since a folder may be called like a numbered case."""
    return (f"{name}_{number}" for number in count(1) if f"{name}_{number}" not in others)


def patient_names(root: Path, series: Sequence[Series]) -> list[str]:
    """Patient name of each series: the folder of a level with exactly one name per patient, else p1, p2, …

    All results show these names, so folders are used only if all of them are called like the cases of a study.
    """
    patients = [one.patient for one in series]
    paths = [one.folder.relative_to(root).parts for one in series]
    for level in range(min(map(len, paths), default=0)):
        names = [_clean(path[level]) for path in paths]
        matched = len(set(names)) == len(set(patients)) == len(set(zip(names, patients, strict=True)))
        if matched and not any(map(looks_personal, names)):
            return names
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients), start=1)}
    digits = len(str(len(numbers)))
    return [f"p{numbers[patient]:0{digits}}" for patient in patients]


def _clean(name: str) -> str:
    """A folder's name with other characters replaced by _, as allowed for a case; may be empty."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return kept.lstrip("._-")[:90]
