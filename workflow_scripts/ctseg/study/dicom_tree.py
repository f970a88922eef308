"""The cases of a tree of DICOM files, by what their headers say rather than by the names of folders.

A folder of an archive's download (PATIENT/STUDY/SERIES with numbers that no pattern fits) and one flat folder with the
files of all patients are read in the same way.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ctseg.dicom.header import Header, read_header
from ctseg.dicom.label_reference import ANOTHER, KINDS, read_reference
from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.plurals import counted

FEWEST_IMAGES = 2  # of a volume


@dataclass(frozen=True)
class Series:
    """A CT series: the headers of its files, what stands for its patient, and the folder in which most files lie."""

    headers: list[Header]
    patient: str

    @property
    def series_uid(self) -> str:
        """The UID of the series."""
        return self.headers[0].text("SeriesInstanceUID")

    @property
    def session(self) -> tuple[str, str]:
        """What stands for the patient and the frame of reference: series that share both show one position."""
        return self.patient, self.headers[0].frame_of_reference

    @cached_property
    def images(self) -> int:
        """The number of its slices, as far as headers tell."""
        return sum(int(header.text("NumberOfFrames") or 1) if header.is_multiframe else 1 for header in self.headers)

    @cached_property
    def folder(self) -> Path:
        """The folder in which most of its files lie."""
        return _folder_of(self.headers)


@dataclass
class Tree:
    """The series and label files of a tree, the folders with several CT series, and how many files are damaged.

    `by_folder` tells that the folders of the first level stand for patients, since all files name the same one.
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
    """Rows of a case table, whose paths are as those of the files were given, and what was left out, a line each."""

    rows: list[dict[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def cases_of(root: Path, files: Iterable[Path]) -> Cases:
    """The cases in some files below `root`: each series with a label, and of each other position the longest."""
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
    """The series and labels among some files."""
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
    """Whether all series name the same patient, as anonymised ones may, but lie in folders of several patients.

    Folders that share a frame of reference are of one patient.
    """
    patients = {headers[0].patient for headers in series}
    frames: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for headers in series:
        frames[_folder_of(headers).relative_to(root).parts[:1]].add(headers[0].frame_of_reference)
    apart = sum(map(len, frames.values())) == len(set().union(*frames.values()))
    return len(patients) == 1 and patients != {""} and () not in frames and len(frames) > 1 and apart


def _folder_of(headers: Sequence[Header]) -> Path:
    """The folder in which most of some files lie."""
    return Path(Counter(str(header.path.parent) for header in headers).most_common(1)[0][0])


def _is_image(header: Header) -> bool:
    """Whether a file holds one or several slices of a CT, as far as its header says."""
    return header.text("Modality") == "CT" and not header.is_localizer


def _labels_of(tree: Tree) -> tuple[dict[int, Header], list[str]]:
    """The label file of each series, by its place, and what became of the others.

    An RTSTRUCT comes before a SEG of the same series, since tools that export both draw the first; of several the last.
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
    """The order of several labels of one series."""
    return header.text("Modality") == "RTSTRUCT", str(header.path)


def _meant(label: Path, series: Sequence[Series]) -> int | None:
    """The place of the series that a label names, or that is nearest to one that names nothing; the longest of several.

    None where it names none of them, or where it could be another patient's.
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
    """Whether a label that relates so to a series is not of another patient or frame of reference."""
    return ANOTHER not in (relation["patient"], relation["frame_of_reference"])


def _nearest(label: Path, series: Sequence[Series]) -> list[Series]:
    """The series that share most folders with a label."""
    shared = [len(Path(os.path.commonpath([label.parent, one.folder])).parts) for one in series]
    return [one for one, count in zip(series, shared, strict=True) if count == max(shared)]


def _rows(root: Path, cases: Sequence[Case], mixed: set[Path]) -> list[dict[str, str]]:
    """A row for each case, named after the folder that tells its patient."""
    names = patient_names(root, [case.series for case in cases])
    counts = {name: names.count(name) for name in names}
    given: dict[str, int] = defaultdict(int)
    rows = []
    for name, case in zip(names, cases, strict=True):
        given[name] += 1
        several = counts[name] > 1
        row = {"case": f"{name}_{given[name]}" if several else name, "image": str(case.series.folder)}
        row |= {"patient": name} if several else {}
        row |= {"series_uid": case.series.series_uid} if case.series.folder in mixed else {}
        rows.append(row | ({"label": str(case.label)} if case.label else {}))
    return rows


def patient_names(root: Path, series: Sequence[Series]) -> list[str]:
    """The name of each series' patient: a level of folders with one name for each patient, or else p1, p2, …"""
    patients = [one.patient for one in series]
    paths = [one.folder.relative_to(root).parts for one in series]
    for level in range(min(map(len, paths), default=0)):
        names = [_clean(path[level]) for path in paths]
        if len(set(names)) == len(set(patients)) == len(set(zip(names, patients, strict=True))) and all(names):
            return names
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients), start=1)}
    digits = len(str(len(numbers)))
    return [f"p{numbers[patient]:0{digits}}" for patient in patients]


def _clean(name: str) -> str:
    """A folder's name as a case may have it; empty where nothing is left of it."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return kept.lstrip("._-")[:90]
