"""Segmentation for the page: from an upload or the built-in example to the displayed result and its files.

Only one scan is segmented at a time, for all users together. Uploads pass the same checks as in the service and are
deleted after the segmentation.
"""

import csv
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom.series import choose_stack
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
from serving.dicom_objects import write_dicom
from serving.page.inputs import SeriesRow, Upload, file_stem, series_rows, unpack_all
from serving.page.temporary import temporary_folder
from serving.page.view import scene
from serving.settings import Settings
from serving.uploads import told

EXAMPLE = PhantomSettings(seed=1, spacing_mm=(1.6, 2.2), slice_distance_mm=(2.0, 3.0), nodules=(4, 8))
EXAMPLE_PATIENT = 1000  # no study reaches this number, so no network was trained on it
TURN = threading.Lock()

Tell = Callable[[str, float], None]  # called with the step (a key of the texts) and its finished share
TellSeries = Callable[[tuple[SeriesRow, ...]], None]


class Cancelled(Exception):
    """The run was cancelled; raised by the callback `tell`."""


@dataclass(frozen=True)
class Asked:
    """Input of a segmentation: display name, files (none for the example), UID of a series (empty for the best one).

    `label` is the user's own label of the scan, shown for comparison.
    """

    name: str
    uploads: tuple[Upload, ...] = ()
    series_uid: str = ""
    label: Upload | None = None


@dataclass(frozen=True)
class Shown:
    """Result on the page: scene of the viewer, quality flags, and downloads by file name.

    `volumes` are the gzipped NIfTI files of the viewer, by name: scan, segmentation and, if given, label. `dice` is the
    Dice of each class against the label, NaN if neither has the class. `series_uid` is the segmented series.
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
        """Approximate memory of the result in bytes."""
        return sum(map(len, [*self.files.values(), *self.volumes.values(), self.scene["grey"], self.scene["masks"]]))


def segment(
    asked: Asked,
    engine: Engine,
    model: Path,
    settings: Settings,
    tell: Tell,
    tell_series: TellSeries = lambda rows: None,
) -> Shown:
    """Segment the input. Raises InputError for unusable input, and Cancelled if `tell` raises it."""
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
    """Segment a scan while no other is segmented; `source` is the path of the scan, None for the example."""
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
            choice = choose_stack(source, asked.series_uid or None)
            series_uid = choice.stack.series_uid
            cautions += write_dicom(folder, choice, findings, source)
        files = {f"{stem}_{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
        volumes = {"scan": scan.volume, "label": own} if own else {"scan": scan.volume}
        gzipped = {key: _gzipped(volume, folder) for key, volume in volumes.items() if volume}
    gzipped["segmentation"] = files[f"{stem}_segmentation.nii.gz"]
    shown = scene(scan.volume, found.segmentation, found.components, labels)
    dice = dice_of_classes(found.segmentation.voxels_zyx, own.voxels_zyx, len(labels)) if own else []
    return Shown(shown, cautions, files, gzipped, labels, tuple(dice), series_uid)


def _own_label(upload: Upload, scan: Scan, labels: Sequence[str], settings: Settings) -> tuple[Volume | None, str]:
    """Own label on the scan's grid, or the reason why not. Its values 1…n, or names, are the classes of the model."""
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
    """Bytes of a volume as .nii.gz."""
    path = folder / "volume.nii.gz"
    write_nifti(volume, path)
    data = path.read_bytes()
    path.unlink()
    return data


def _write_table(found: Prediction, labels: Sequence[str], folder: Path) -> None:
    """Write the lesions as `lesions.csv` for spreadsheets."""
    table = folder / "lesions.tsv"
    write_components(found.components, list(labels), table)
    text = table.read_text(encoding="utf-8")
    table.unlink()
    with (folder / "lesions.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(line.split("\t") for line in text.splitlines())
