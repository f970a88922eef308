"""Segmentation for the page: from an upload or the built-in example to all that the page shows and offers.

One scan is segmented at a time, whoever asks; uploads pass the same gate as those of the service, and are deleted as
soon as they are segmented.
"""

import csv
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom_export.findings import Findings
from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.file_hash import sha256_of
from ctseg.geometry.volume import Volume
from ctseg.inference.engines import Engine
from ctseg.inference.predict import Prediction, predict
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.components import write_components
from ctseg.masks.overlap import dice_of_classes
from ctseg.phantom.patient import PhantomSettings, make_phantom
from ctseg.scans.flag import Flag
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import Scan, read_scan, volume_facts
from serving.page.inputs import SeriesRow, Upload, file_stem, series_rows, unpack_all
from serving.page.temporary import temporary_folder
from serving.page.view import scene
from serving.settings import Settings
from serving.uploads import told

EXAMPLE = PhantomSettings(seed=1, spacing_mm=(1.6, 2.2), slice_distance_mm=(2.0, 3.0), nodules=(4, 8))
EXAMPLE_PATIENT = 1000  # of a number that no study reaches, so no network was trained on it
TURN = threading.Lock()

Tell = Callable[[str, float], None]  # is told the step, by its key in the texts, and how much of it is done
TellSeries = Callable[[tuple[SeriesRow, ...]], None]


class Cancelled(Exception):
    """Nobody wants the result any more; raised by what is told the steps."""


@dataclass(frozen=True)
class Asked:
    """What to segment: the files, none for the example; the name that people know them by; a series among them.

    `label` is an own label of the scan, to be shown beside the result.
    """

    name: str
    uploads: tuple[Upload, ...] = ()
    series_uid: str = ""
    label: Upload | None = None


@dataclass(frozen=True)
class Shown:
    """Content of the page: the viewer's scene, cautions, and files by their names.

    `volumes` are the gzipped NIfTI files of the viewer by their names: scan, segmentation and, where one was given,
    label; `dice` is that of each class with the label, NaN where neither has it. `series_uid` is the one taken.
    """

    scene: dict[str, Any]
    cautions: list[Flag]
    files: dict[str, bytes]
    volumes: dict[str, bytes]
    labels: tuple[str, ...]
    dice: tuple[float, ...] = ()
    series_uid: str = ""

    @property
    def size_bytes(self) -> int:
        """What it takes of the memory, roughly."""
        return sum(map(len, [*self.files.values(), *self.volumes.values(), self.scene["grey"], self.scene["masks"]]))


def segment(
    asked: Asked,
    engine: Engine,
    model: Path,
    settings: Settings,
    tell: Tell,
    tell_series: TellSeries = lambda rows: None,
) -> Shown:
    """Segment what is asked for. Raises InputError with a sentence for people, and Cancelled where `tell` does."""
    tell("reading", 0.0)
    if not asked.uploads:
        volume = make_phantom(EXAMPLE, EXAMPLE_PATIENT).image
        return _segment(Scan(volume, volume_facts(volume, "the example")), None, asked, engine, model, settings, tell)
    with temporary_folder() as folder:
        try:
            path = unpack_all(asked.uploads, folder, settings)
            if path.is_dir():
                tell_series(series_rows(path))
            scan = read_scan(path, asked.series_uid or None)
            return _segment(scan, path, asked, engine, model, settings, tell)
        except InputError as error:
            raise InputError(told(error, folder)) from None


def _segment(
    scan: Scan, source: Path | None, asked: Asked, engine: Engine, model: Path, settings: Settings, tell: Tell
) -> Shown:
    """Segment a scan, one at a time; `source` is where it was read from."""
    tell("waiting", 0.0)
    with TURN:
        tell("segmenting", 0.0)
        found = predict(scan.volume, engine, progress=lambda done, rows: tell("segmenting", done / rows))
    tell("drawing", 0.0)
    labels, stem, series_uid = engine.card.labels, file_stem(asked.name), ""
    cautions = quality_flags(scan.facts, engine.card, found.lungs, found.components)
    own, problem = _own_label(asked.label, scan, labels, settings) if asked.label else (None, "")
    cautions += [Flag("own_label", {}, problem)] if problem else []
    with temporary_folder() as folder:
        write_nifti(found.segmentation, folder / "segmentation.nii.gz")
        _write_table(found, labels, folder)
        if source is not None and source.is_dir():
            findings = Findings(found.segmentation, labels, found.components, sha256_of(model))
            series_uid, problem = _write_dicom(folder, source, asked.series_uid, findings)
            cautions += [Flag("no_dicom", {}, problem)] if problem else []
        files = {f"{stem}_{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
        volumes = {"scan": scan.volume, "label": own} if own else {"scan": scan.volume}
        gzipped = {key: _gzipped(volume, folder) for key, volume in volumes.items() if volume}
    gzipped["segmentation"] = files[f"{stem}_segmentation.nii.gz"]
    shown = scene(scan.volume, found.segmentation, found.components, labels)
    dice = dice_of_classes(found.segmentation.voxels_zyx, own.voxels_zyx, len(labels)) if own else []
    return Shown(shown, cautions, files, gzipped, labels, tuple(dice), series_uid)


def _own_label(upload: Upload, scan: Scan, labels: Sequence[str], settings: Settings) -> tuple[Volume | None, str]:
    """An own label on the scan's grid, or why it cannot be shown. Its values 1…n, or names, are the model's classes."""
    with temporary_folder() as folder:
        try:
            path = unpack_all([upload], folder, settings)
            wanted = LabelSettings({label: value for value, label in enumerate(labels, start=1)}, missing_ok=True)
            found = read_label(path, wanted, scan.volume.grid, "the scan", relation=scan.facts.get("label_reference"))
        except InputError as error:
            return None, f"the own label cannot be shown: {told(error, folder)}"
    if not np.any(found.voxels_zyx):
        return None, f"the own label cannot be shown: it has no voxel of {', '.join(labels)}"
    return Volume(found.voxels_zyx, found.grid), ""


def _gzipped(volume: Volume, folder: Path) -> bytes:
    """The volume as the bytes of a .nii.gz."""
    path = folder / "volume.nii.gz"
    write_nifti(volume, path)
    data = path.read_bytes()
    path.unlink()
    return data


def _write_table(found: Prediction, labels: Sequence[str], folder: Path) -> None:
    """The lesions as CSV for spreadsheets."""
    table = folder / "lesions.tsv"
    write_components(found.components, list(labels), table)
    text = table.read_text(encoding="utf-8")
    table.unlink()
    with (folder / "lesions.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(line.split("\t") for line in text.splitlines())


def _write_dicom(folder: Path, source: Path, series_uid: str, findings: Findings) -> tuple[str, str]:
    """Write the DICOM objects; the UID of the series, and if they are impossible, the reason: other files remain."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.write import write_objects  # 1 s, and many scans are NIfTI

    choice = choose_stack(source, series_uid or None)
    try:
        write_objects(folder, choice, findings)
    except InputError as error:
        return choice.stack.series_uid, told(error, source)
    return choice.stack.series_uid, ""
