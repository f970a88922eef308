"""Worker process that loads the model once and then segments the scans that it receives through a pipe.

A separate process, so that a job can be ended by killing it, its memory can be limited, and neither a long computation
nor a crash in a decoder affects the server.
"""

import json
import logging
import os
import resource
import signal
import threading
import warnings
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ctseg.dicom.series import Choice, choose_stack
from ctseg.dicom_export.findings import Findings
from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.file_hash import sha256_of
from ctseg.files import write_json
from ctseg.geometry.volume import Grid
from ctseg.inference.engines import Engine, load_engine
from ctseg.inference.predict import Prediction, predict
from ctseg.scans.flag import Flag
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import Scan, read_scan
from serving.dicom_objects import write_dicom
from serving.service.job import COMPONENTS, OBJECTS, RESULT, Order
from serving.service.series import listed, listed_alone, uid_of
from serving.settings import Settings
from serving.uploads import told

Message = tuple[str, Any]  # ready: model · progress: fraction · done: None · failed: reason · broken: reason


def work(pipe: Connection, settings: Settings) -> None:
    """Main function of the worker; returns when the pipe is closed or the model cannot be loaded."""
    _be_discreet()
    _end_with_the_server()
    if settings.worker_memory_gib:
        limit = int(settings.worker_memory_gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        engine = load_engine(settings.model, settings.threads, settings.engine)
    except InputError as error:
        pipe.send(("broken", str(error)))
        return
    loaded = Loaded(engine, settings.model.name, sha256_of(settings.model))
    pipe.send(("ready", loaded.about()))
    while True:
        try:
            scan, order, sha256 = pipe.recv()
        except EOFError:
            return
        pipe.send(segment(scan, order, sha256, loaded, settings, pipe))


@dataclass(frozen=True)
class Loaded:
    """The loaded model of the service, with name and SHA-256 of its file."""

    engine: Engine
    name: str
    sha256: str

    def about(self) -> dict[str, Any]:
        """Description of the model for clients, see `schemas.Model`."""
        card = self.engine.card
        return {
            "name": self.name,
            "sha256": self.sha256,
            "labels": list(card.labels),
            "region": card.preparation.region,
            "training_cases": card.training_cases,
            "training_patients": card.training_patients,
            "phantom": card.phantom,
            "networks": card.n_networks,
            "card": json.loads(card.to_json()),
            "engine": self.engine.name,
        }


def segment(
    path: Path, order: Order, sha256: str | None, loaded: Loaded, settings: Settings, pipe: Connection
) -> Message:
    """Segment one scan and write the results next to it; return the message `done` or `failed`.

    `sha256` is the hash of the upload, by which a client can identify its scan.
    """
    card = loaded.engine.card
    try:
        series_uid = uid_of(path, order.series) if order.series else order.series_uid
        scan = read_scan(path, series_uid, rescale=order.rescale)
        _require_size(scan.volume.grid, settings)
        found = predict(
            scan.volume,
            loaded.engine,
            settings.memory_gib,
            progress=lambda done, rows: pipe.send(("progress", done / rows)),
            gpu_memory_gib=settings.gpu_memory_gib or None,
        )
        several = bool(scan.facts.get("series", {}).get("others"))
        choice = choose_stack(path, series_uid) if several or order.dicom else None
        write_nifti(found.segmentation, path.parent / RESULT)
        flags = quality_flags(scan.facts, card, found.lungs, found.components)
        if order.dicom and choice:
            findings = Findings(found.segmentation, card.labels, found.components, loaded.sha256)
            flags += write_dicom(path.parent / OBJECTS, choice, findings, path)
        about = {"model": {"name": loaded.name, "sha256": loaded.sha256}, "source": source_of(scan, sha256, choice)}
        write_json(path.parent / COMPONENTS, about | summary(found, card.labels, flags))
    except InputError as error:
        return "failed", told(error, path)
    except MemoryError:
        return "failed", "the scan needs more memory than this service gives to one"
    except Exception as error:  # no scan may end the worker; the message may contain header values
        return "failed", f"the scan could not be processed ({type(error).__name__})"
    return "done", None


def source_of(scan: Scan, sha256: str | None, choice: Choice | None) -> dict[str, Any]:
    """Description of the scan without identifying data: hash of the upload, format, size, spacing in mm, series."""
    facts = {name: scan.facts[name] for name in ("size_xyz", "spacing_xyz_mm")}
    series = scan.facts.get("series") and listed_alone(scan.facts["series"])
    series = listed(choice) if choice else series
    return {"upload_sha256": sha256, "format": scan.facts["source_format"], **facts, "series": series}


def summary(found: Prediction, labels: tuple[str, ...], flags: list[Flag]) -> dict[str, Any]:
    """Result in JSON types: volume per class, measurements of each component (positions in LPS mm), and flags."""
    return {
        "volumes": [_total(number, label, found) for number, label in enumerate(labels, start=1)],
        "components": [component(row, labels) for row in found.components],
        "warnings": [flag.text for flag in flags],
        "flags": [flag.as_dict() for flag in flags],
    }


def _total(number: int, label: str, found: Prediction) -> dict[str, Any]:
    """Totals of class `number`; the volume is computed from the voxel count, not as a sum of rounded volumes."""
    rows = [row for row in found.components if row["label"] == number]
    voxels = sum(row["voxels"] for row in rows)
    volume_cm3 = voxels * found.segmentation.grid.voxel_volume_mm3 / 1000
    return {"label": label, "components": len(rows), "voxels": voxels, "volume_cm3": volume_cm3}


def component(row: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """A row of `ctseg.masks.components.measure_components` in the format of the response."""
    return {
        "label": labels[row["label"] - 1],
        "component": row["component"],
        "voxels": row["voxels"],
        "volume_cm3": row["volume_cm3"],
        "centroid_xyz_mm": [row[f"centroid_{axis}_mm"] for axis in "xyz"],
        "bounding_box_xyz_mm": row["box_xyz_mm"],
        "longest_diameter_mm": row["longest_diameter_mm"],
        "mean_hu": row["mean_hu"],
    }


def _require_size(grid: Grid, settings: Settings) -> None:
    """Raise InputError for a scan above the limits; the size of a DICOM scan is known only after reading."""
    shape = grid.shape_zyx
    if max(shape) > settings.max_dimension or shape[0] * shape[1] * shape[2] > settings.max_voxels:
        raise InputError(f"the scan of {shape} voxels (z, y, x) is larger than this service takes")


def _be_discreet() -> None:
    """Disable logs and warnings, which may contain patient names, and ignore Ctrl+C, which the server handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _end_with_the_server() -> None:
    """End this process when the server ends, even if the server is killed."""
    server = parent_process()
    if server is None:
        return

    def watch() -> None:
        wait([server.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
