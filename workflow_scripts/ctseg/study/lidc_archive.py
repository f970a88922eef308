"""LIDC-IDRI as published by TCIA: the annotated series of each patient, with their XML files.

The folders are PATIENT/STUDY/SERIES. A patient has one CT series, rarely two, and often chest X-rays, which have XML
files too. The XML file is in the folder of the slices, or in a separate archive (`LIDC-XML-only`).
"""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH112, PTH113, PTH118, PTH119

import os
import re
from collections.abc import Callable, Iterator
from functools import cache

from ctseg.dicom.lidc_header import SERIES_UID, X_RAY, head_of
from ctseg.errors import ConfigError
from ctseg.folders import visible_names

PATIENT = re.compile(r"LIDC-IDRI-\d{4}")
DEEPEST = 3  # folder levels searched for XML files: LIDC-XML-only/tcia-lidc-xml/157/158.xml

Columns = dict[str, str]
Pair = tuple[str, str]  # a series' folder and its XML


def lidc_columns(folder: str, root: str) -> Iterator[Columns]:
    """Columns of each annotated CT series, and of one case to predict for each patient without an annotation.

    Paths are relative to `root` or absolute. Raises ConfigError if no XML file belongs to any series.
    """
    top = visible_names(os.path.join(root, folder))
    patients = [name for name in top if PATIENT.fullmatch(name) and os.path.isdir(os.path.join(root, folder, name))]
    others = sorted(set(top) - set(patients))

    @cache
    def by_series() -> dict[str, str]:
        """XML files outside of the patient folders, by the series UID that they name; read at the first call."""
        return dict(_named_series(root, [path for name in others for path in _xml_below(root, folder, name)]))

    rows = [columns for patient in patients for columns in _patient_columns(root, folder, patient, by_series)]
    if rows and not any("label" in columns for columns in rows):
        raise ConfigError(
            f"cases.folder: no XML file below {folder} belongs to one of its {len(rows)} scans: put each beside its "
            "slices, or name the folders of the series by their UID, as the archive's classic directory names do"
        )
    yield from rows


def _patient_columns(
    root: str, folder: str, patient: str, by_series: Callable[[], dict[str, str]]
) -> Iterator[Columns]:
    """Columns of each annotated CT of a patient; without any, of one case with PATIENT.xml or without a label."""
    place = os.path.join(folder, patient)
    series = [path for study in _folders(root, place) for path in _folders(root, study)]
    pairs = _beside_slices(root, series) or [
        (path, by_series()[os.path.basename(path)]) for path in series if os.path.basename(path) in by_series()
    ]
    if not pairs:
        image = series[0] if len(series) == 1 else place
        label = os.path.join(folder, f"{patient}.xml")
        known = os.path.isfile(os.path.join(root, label))
        yield {"case": patient, "image": image, **({"label": label} if known else {"split": "predict"})}
    for number, (image, label) in enumerate(pairs, start=1):
        case = patient if len(pairs) == 1 else f"{patient}-{number}"
        yield {"case": case, "image": image, "label": label, "patient": patient}


def _beside_slices(root: str, series: list[str]) -> list[Pair]:
    """Series folders with an XML file among the slices; if there are several files, those of X-rays are left out."""
    found = [
        (path, os.path.join(path, name))
        for path in series
        for name in visible_names(os.path.join(root, path))
        if _is_xml(name)
    ]
    if len(found) > 1:
        found = [(path, xml) for path, xml in found if X_RAY not in _head(root, xml)]
    return sorted(dict(reversed(found)).items())  # one per series, the first by name


def _named_series(root: str, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Series UID and path of each XML file of a CT; the first file by name comes last, so that it wins in a dict."""
    for path in sorted(paths, reverse=True):
        head = _head(root, path)
        uid = SERIES_UID.search(head)
        if uid and X_RAY not in head:
            yield uid[1].decode(), path


def _head(root: str, path: str) -> bytes:
    return head_of(os.path.join(root, path))


def _xml_below(root: str, folder: str, name: str, depth: int = DEEPEST) -> Iterator[str]:
    """Path of the XML file `name`, or paths of the XML files in and below the folder `name`, up to `depth` levels."""
    path = os.path.join(folder, name)
    if _is_xml(name):
        yield path
    elif depth and os.path.isdir(os.path.join(root, path)):
        for part in visible_names(os.path.join(root, path)):
            yield from _xml_below(root, path, part, depth - 1)


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _folders(root: str, path: str) -> list[str]:
    """The subfolders of a folder, sorted; `path` and the results are relative to `root` or absolute."""
    paths = [os.path.join(path, name) for name in visible_names(os.path.join(root, path))]
    return [inner for inner in paths if os.path.isdir(os.path.join(root, inner))]
