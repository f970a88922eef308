"""The process that segments: it loads the model once and then reads jobs from a pipe.

It is a process of its own so that a job can be ended by killing it, its memory can be bounded, and neither a long
computation nor a crash in a decoder reaches the server.
"""

import json
import logging
import os
import resource
import signal
import threading
import warnings
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

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
from ctseg.scans.read_scan import read_scan
from serving.service.jobs import COMPONENTS, OBJECTS, RESULT, Order
from serving.settings import Settings
from serving.uploads import told

Message = tuple[str, Any]  # ready: card and engine · progress: fraction · done · failed: why · broken: why


def work(pipe: Connection, settings: Settings) -> None:
    """Main function of the process: ends when the pipe is closed or the server has ended."""
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
    pipe.send(("ready", {"card": json.loads(engine.card.to_json()), "engine": engine.name}))
    model_hash = sha256_of(settings.model)
    while True:
        try:
            scan, order = pipe.recv()
        except EOFError:
            return
        pipe.send(segment(scan, order, engine, model_hash, settings, pipe))


def segment(
    path: Path,
    order: Order,
    engine: Engine,
    model_hash: str,
    settings: Settings,
    pipe: Connection,
) -> Message:
    """Segment one scan, and write the results into the folder in which it lies; says how it ended."""
    try:
        scan = read_scan(path, rescale=order.rescale)
        _require_size(scan.volume.grid, settings)
        found = predict(
            scan.volume,
            engine,
            settings.memory_gib,
            progress=lambda done, rows: pipe.send(("progress", done / rows)),
            gpu_memory_gib=settings.gpu_memory_gib or None,
        )
        write_nifti(found.segmentation, path.parent / RESULT)
        flags = quality_flags(scan.facts, engine.card, found.lungs, found.components)
        write_json(path.parent / COMPONENTS, summary(found, engine.card.labels, flags))
        if order.dicom:
            _write_dicom(
                path,
                path.parent / OBJECTS,
                Findings(found.segmentation, engine.card.labels, found.components, model_hash),
            )
    except InputError as error:
        return "failed", told(error, path)
    except MemoryError:
        return "failed", "the scan needs more memory than this service gives to one"
    except Exception as error:  # one odd scan must not end the service; its message may hold values of the header
        return "failed", f"the scan could not be processed ({type(error).__name__})"
    return "done", None


def _write_dicom(series: Path, folder: Path, findings: Findings) -> None:
    """Write DICOM objects for the series that was segmented."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.write import write_objects  # 1 s, and few ask for them

    write_objects(folder, choose_stack(series), findings)


def summary(found: Prediction, labels: tuple[str, ...], flags: list[Flag]) -> dict[str, Any]:
    """The result in JSON types: volume, position (LPS, mm), bounding box and HU of each component, and the flags."""
    return {
        "components": [component(row, labels) for row in found.components],
        "warnings": [flag.text for flag in flags],
        "flags": [flag.as_dict() for flag in flags],
    }


def component(row: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """One row of `ctseg.masks.components.measure_components` for clients."""
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
    """Raise InputError for a scan beyond the limits; of DICOM this is known only now."""
    shape = grid.shape_zyx
    if max(shape) > settings.max_dimension or shape[0] * shape[1] * shape[2] > settings.max_voxels:
        raise InputError(f"the scan of {shape} voxels (z, y, x) is larger than this service takes")


def _be_discreet() -> None:
    """Disable logs and warnings, in which header values may name a patient, and leave Ctrl+C to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _end_with_the_server() -> None:
    """End with the server, even if it is killed."""
    server = parent_process()
    if server is None:
        return

    def watch() -> None:
        wait([server.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
