"""LIDC-IDRI as TCIA publishes it: which series of a patient is annotated, and by which XML file.

A patient has a folder, with a folder for each study and in it one for each series: one CT, seldom two, and often chest
X-rays, which have XML files too. The XML lies beside the slices, or comes in an archive of its own (`LIDC-XML-only`).
"""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH112, PTH113, PTH118, PTH119, PTH208

import os
import re
from collections.abc import Callable, Iterator
from functools import cache

from ctseg.dicom.lidc_header import SERIES_UID, X_RAY, head_of
from ctseg.errors import ConfigError

PATIENT = re.compile(r"LIDC-IDRI-\d{4}")
DEEPEST = 3  # folders of XML files: LIDC-XML-only/tcia-lidc-xml/157/158.xml

Columns = dict[str, str]
Pair = tuple[str, str]  # a series' folder and its XML


def lidc_columns(folder: str, root: str) -> Iterator[Columns]:
    """The columns of each annotated CT, and of each patient without an annotation as a case to predict.

    Paths start at `root`, or are absolute. Raises ConfigError when no XML file belongs to any series.
    """
    top = _names(root, folder)
    patients = [name for name in top if PATIENT.fullmatch(name) and os.path.isdir(os.path.join(root, folder, name))]
    others = sorted(set(top) - set(patients))

    @cache
    def by_series() -> dict[str, str]:
        """The XML files that lie beside the patients, by the series that they name; read when first asked for."""
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
    """One row for each annotated CT of a patient, or one without a label."""
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
    """Series with an XML among their slices; where several have one, those of X-rays are left out."""
    found = [(path, os.path.join(path, name)) for path in series for name in _names(root, path) if _is_xml(name)]
    if len(found) > 1:
        found = [(path, xml) for path, xml in found if X_RAY not in _head(root, xml)]
    return sorted(dict(reversed(found)).items())  # one a series, the first by name


def _named_series(root: str, paths: list[str]) -> Iterator[Pair]:
    """The series that each XML file of a CT names; the first file by name is last, so that it wins in a dict."""
    for path in sorted(paths, reverse=True):
        head = _head(root, path)
        uid = SERIES_UID.search(head)
        if uid and X_RAY not in head:
            yield uid[1].decode(), path


def _head(root: str, path: str) -> bytes:
    return head_of(os.path.join(root, path))


def _xml_below(root: str, folder: str, name: str, depth: int = DEEPEST) -> Iterator[str]:
    """The XML file of this name, or those in and below the folder of this name."""
    path = os.path.join(folder, name)
    if _is_xml(name):
        yield path
    elif depth and os.path.isdir(os.path.join(root, path)):
        for part in _names(root, path):
            yield from _xml_below(root, path, part, depth - 1)


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _folders(root: str, path: str) -> list[str]:
    """The folders in a folder, sorted; `path` and they start at `root`."""
    paths = [os.path.join(path, name) for name in _names(root, path)]
    return [inner for inner in paths if os.path.isdir(os.path.join(root, inner))]


def _names(root: str, path: str) -> list[str]:
    """The names in a folder, sorted, without hidden ones; none where it cannot be listed."""
    try:
        return sorted(name for name in os.listdir(os.path.join(root, path)) if not name.startswith("."))
    except OSError:
        return []
