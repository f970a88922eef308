"""Corrected labels: files of a folder that replace the labels of cases, with their authors and comments.

This runs at every start of the workflow, as `cases` does, so it opens no mask.
"""

# Plain strings instead of Path, as in cases.py.
# ruff: noqa: PTH110, PTH111, PTH112, PTH118, PTH208

import csv
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ctseg.file_types import DICOM_SUFFIXES, NIFTI_SUFFIXES, SITK_SUFFIXES

WHO = "corrections.tsv"  # author and comment of each correction
BEFORE = "before"  # folder with the segmentations before their correction
COLUMNS = ("by", "comment")
# The longest first, because 3D Slicer names a mask CASE.seg.nrrd.
SUFFIXES = sorted((".seg.nrrd", *NIFTI_SUFFIXES, *SITK_SUFFIXES, *DICOM_SUFFIXES), key=len, reverse=True)


@dataclass(frozen=True)
class Correction:
    """A mask that was edited in another program: its file or folder, its author (`by`) and a comment.

    `replaces` is the former label and `edited` the segmentation that was corrected; None if missing.
    """

    path: str
    by: str = ""
    comment: str = ""
    replaces: str | None = None
    edited: str | None = None


def find_corrections(folder: str, root: str, cases: Collection[str], problems: list[str]) -> dict[str, Correction]:
    """Correction of each corrected case: a file CASE.nii.gz, CASE.seg.nrrd, CASE.dcm, …, or a folder CASE.

    `folder` is relative to `root`, and so are the paths that are found. Appends to `problems`: a missing folder, a file
    of no case, two files of one case, and a line of `corrections.tsv` or a file in `before/` without a correction,
    because an unused correction must not be ignored silently.
    """
    folder = os.path.expanduser(folder)
    place = os.path.join(root, folder)
    if not os.path.isdir(place):
        problems.append(f"cases.corrections: the folder {folder} does not exist")
        return {}
    found = _masks(place, folder, cases, "case", problems)
    edited: dict[str, str] = {}
    if os.path.isdir(os.path.join(place, BEFORE)):
        edited = _masks(os.path.join(place, BEFORE), os.path.join(folder, BEFORE), found, "correction", problems)
    told = _who(os.path.join(place, WHO), os.path.join(folder, WHO), found, problems)
    return {case: Correction(path, **told.get(case, {}), edited=edited.get(case)) for case, path in found.items()}


def _masks(place: str, folder: str, cases: Collection[str], what: str, problems: list[str]) -> dict[str, str]:
    """Path of the mask of each case in the folder `place`; paths begin with `folder`, messages call a case `what`."""
    found: dict[str, str] = {}
    for name in sorted(os.listdir(place)):
        if name in (WHO, BEFORE) or name.startswith("."):
            continue
        path = os.path.join(folder, name)
        case = name if os.path.isdir(os.path.join(place, name)) else _stem(name)
        if case not in cases:
            problems.append(
                f"{path}: no {what} has this name; name it as results/ names the case, with .nii.gz or such"
            )
        elif case in found:
            problems.append(f"{path}: is of the same case as {found[case]}; keep one of them")
        else:
            found[case] = path
    return found


def _stem(name: str) -> str:
    """A file's name without the suffix of a mask; the whole name if it has no such suffix."""
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.lower().endswith(suffix)), name)


def _who(path: str, shown: str, found: Collection[str], problems: list[str]) -> dict[str, dict[str, str]]:
    """Author and comment of each correction, from a table with the columns case, by and comment; empty if missing."""
    if not os.path.exists(path):
        return {}
    try:
        lines = list(csv.DictReader(Path(path).read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        problems.append(f"{shown}: is not a table in UTF-8 text")
        return {}
    told = {}
    for number, row in enumerate(lines, start=2):
        case = (row.get("case") or "").strip()
        if case not in found:
            problems.append(
                f"{shown}, line {number}: there is no correction of a case {case!r}; the columns are case, by, comment"
            )
        told[case] = {column: (row.get(column) or "").strip() for column in COLUMNS}
    return told
