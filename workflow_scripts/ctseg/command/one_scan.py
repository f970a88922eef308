"""Segmentation of one scan with a model: reading, inference, and writing of the results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctseg.command.outputs import Outputs
from ctseg.command.progress import Progress
from ctseg.dicom_export.findings import Findings
from ctseg.digits import two_decimals
from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.file_types import is_volume_file
from ctseg.files import write_table
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import Engine
from ctseg.inference.predict import predict
from ctseg.masks.components import volumes_cm3, write_components
from ctseg.plurals import counted
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.scans.scan_warnings import passed_over

if TYPE_CHECKING:  # pydicom, which other formats do not need
    from ctseg.dicom.series import Choice

STEPS = {
    "lungs": "finding the lung field",
    "network": "segmenting with {}",
    "components": "measuring what was found",
}


@dataclass(frozen=True)
class Wanted:
    """Settings of the command line for reading and segmenting scans; None is the default."""

    series_uid: str | None
    irregular: str
    rescale: list[float] | None
    memory_gib: float
    gpu_memory_gib: float | None
    model_hash: str  # SHA-256 if DICOM objects are written, else empty


@dataclass(frozen=True)
class Found:
    """Findings in a scan: number of lesions and volume (cm³) of each label, flags in words, and the written files."""

    lesions: dict[str, int]
    volumes_cm3: dict[str, float]
    flags: list[str]
    files: list[Path]

    @property
    def in_all(self) -> int:
        """Number of lesions of all labels."""
        return sum(self.lesions.values())

    def in_words(self) -> str:
        """Number of lesions and volume of each label, as text."""
        return "; ".join(
            f"{label}: {counted(count, 'lesion')}, {two_decimals(self.volumes_cm3[label])} cm³"
            for label, count in self.lesions.items()
        )


def segment_scan(scan: Path, engine: Engine, wanted: Wanted, outputs: Outputs, progress: Progress) -> Found:
    """Segment a scan and write its results. Raises InputError for a scan that cannot be used."""
    if outputs.dicom and is_volume_file(scan):
        raise InputError(f"--dicom needs a DICOM series to refer to; {scan} is a file of another format")
    progress.step(f"reading {scan}")
    read = read_scan(scan, wanted.series_uid, irregular=wanted.irregular, rescale=wanted.rescale)
    progress.tell([*passed_over(read.facts), *read.facts["warnings"]])
    choice = _referable(scan, wanted.series_uid, read.volume.grid) if outputs.dicom else None
    found = predict(
        read.volume,
        engine,
        wanted.memory_gib,
        outputs.uncertainty is not None,
        progress.rows,
        wanted.gpu_memory_gib,
        lambda name: progress.step(STEPS[name].format(engine.name)),
    )
    labels = engine.card.labels
    flags = [flag.text for flag in quality_flags(read.facts, engine.card, found.lungs, found.components)]
    progress.tell(text for text in flags if text not in read.facts["warnings"])
    progress.step("writing the results")
    write_nifti(found.segmentation, outputs.mask)
    write_components(found.components, list(labels), outputs.table)
    if outputs.uncertainty and found.entropy:
        write_nifti(found.entropy, outputs.uncertainty)
    if outputs.stability:
        how = {"memory_gib": wanted.memory_gib, "gpu_memory_gib": wanted.gpu_memory_gib}
        _write_stability(read.volume, found.segmentation, engine, how, outputs.stability)
    if outputs.dicom and choice:
        from ctseg.dicom_export.write import write_objects

        findings = Findings(found.segmentation, labels, found.components, wanted.model_hash)
        write_objects(outputs.dicom, choice, findings)
    numbers = [row["label"] for row in found.components]
    lesions = {label: numbers.count(number) for number, label in enumerate(labels, start=1)}
    return Found(lesions, volumes_cm3(found.components, labels), flags, outputs.files)


def _referable(scan: Path, series_uid: str | None, grid: Grid) -> "Choice":
    """The series that DICOM objects can refer to. Raises ScanError, before the scan is segmented, if they cannot."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.source_series import planes_of, read_source

    choice = choose_stack(scan, series_uid)
    planes_of(grid, read_source(choice))
    return choice


def _write_stability(image: Volume, segmentation: Volume, engine: Engine, how: dict[str, Any], path: Path) -> None:
    """Write and print the changes of an image's segmentation when the network's grid is shifted."""
    from ctseg.evaluation.stability import COLUMNS, stability, told
    from ctseg.lungs.segment import segment_lungs

    found = segment_lungs(image, engine.card.lungs) if engine.card.preparation.region == "lungs" else None
    plausible = found is not None and bool(found.facts["plausible"])
    rows = stability(segmentation, image, found.lungs if found else None, plausible, engine, **how)
    write_table(path, COLUMNS, rows)
    for row in rows:
        print(told(row))
