"""Segmentation for the demo page: from an uploaded scan or the built-in example to all that the page shows and offers.

One scan is segmented at a time, whoever asks; uploads pass the same gate as those of the service, and are deleted as
soon as they are segmented.
"""

import csv
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctseg.dicom_export.findings import Findings
from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.file_hash import sha256_of
from ctseg.inference.engines import Engine
from ctseg.inference.predict import Prediction, predict
from ctseg.masks.components import write_components
from ctseg.phantom.patient import PhantomSettings, make_phantom
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import Scan, read_scan, volume_facts
from serving.page.view import scene
from serving.settings import Settings
from serving.uploads import Refused, told, unpack

EXAMPLE = PhantomSettings(seed=1, spacing_mm=(1.6, 2.2), slice_distance_mm=(2.0, 3.0), nodules=(4, 8))
EXAMPLE_PATIENT = 1000  # of a number that no study reaches, so no network was trained on it
TURN = threading.Lock()

Tell = Callable[[str, float], None]  # is told the step, by its key in the texts, and how much of it is done


@dataclass(frozen=True)
class Shown:
    """Content of the page: the viewer's scene, cautions, and files by their names."""

    scene: dict[str, Any]
    cautions: list[str]
    files: dict[str, bytes]


def segment_upload(data: bytes, engine: Engine, model: Path, settings: Settings, tell: Tell) -> Shown:
    """Segment an upload: the bytes of a .nii, a .nii.gz, or a zip of DICOM files.

    Raises InputError with a sentence for people where it is no scan, damaged, too large or dangerous.
    """
    tell("reading", 0.0)
    with tempfile.TemporaryDirectory(prefix="ctseg-page-") as folder:
        upload = Path(folder) / "upload"
        upload.write_bytes(data)
        try:
            path = unpack(upload, settings)
            return _segment(read_scan(path), path, engine, model, tell)
        except Refused as error:
            raise InputError(str(error)) from None
        except InputError as error:
            raise InputError(told(error, Path(folder))) from None
        except MemoryError:
            raise InputError("the scan needs more memory than this machine has free") from None
        except Exception as error:  # of an odd scan; its message may hold values of the header
            raise InputError(f"the scan could not be processed ({type(error).__name__})") from None


def segment_example(engine: Engine, model: Path, tell: Tell) -> Shown:
    """Segment a patient of the phantom."""
    tell("reading", 0.0)
    volume = make_phantom(EXAMPLE, EXAMPLE_PATIENT).image
    return _segment(Scan(volume, volume_facts(volume, "the example")), None, engine, model, tell)


def _segment(scan: Scan, source: Path | None, engine: Engine, model: Path, tell: Tell) -> Shown:
    """Segment a scan, one at a time; `source` is where it was read from."""
    tell("waiting", 0.0)
    with TURN:
        tell("segmenting", 0.0)
        found = predict(scan.volume, engine, progress=lambda done, rows: tell("segmenting", done / rows))
    tell("drawing", 0.0)
    labels = engine.card.labels
    cautions = [flag.text for flag in quality_flags(scan.facts, engine.card, found.lungs, found.components)]
    with tempfile.TemporaryDirectory(prefix="ctseg-page-") as name:
        folder = Path(name)
        write_nifti(found.segmentation, folder / "segmentation.nii.gz")
        _write_table(found, labels, folder)
        if source is not None and source.is_dir():
            findings = Findings(found.segmentation, labels, found.components, sha256_of(model))
            cautions += _write_dicom(folder, source, findings)
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return Shown(scene(scan.volume, found.segmentation, found.components, labels), cautions, files)


def _write_table(found: Prediction, labels: Sequence[str], folder: Path) -> None:
    """The components as CSV for spreadsheets."""
    with tempfile.NamedTemporaryFile(suffix=".tsv") as table:
        write_components(found.components, list(labels), table.name)
        text = Path(table.name).read_text(encoding="utf-8")
    with (folder / "components.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(line.split("\t") for line in text.splitlines())


def _write_dicom(folder: Path, source: Path, findings: Findings) -> list[str]:
    """Write the DICOM objects; if that is impossible, tell the reason and offer the other files."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.write import write_objects  # 1 s, and many scans are NIfTI

    try:
        write_objects(folder, choose_stack(source), findings)
    except InputError as error:
        return [told(error, source)]
    return []
