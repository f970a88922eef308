"""One scan with a model: read, segmented, and its results written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctseg.command.outputs import Outputs
from ctseg.command.progress import Progress
from ctseg.dicom_export.findings import Findings
from ctseg.digits import two_decimals
from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.file_types import is_volume_file
from ctseg.files import write_table
from ctseg.geometry.volume import Volume
from ctseg.inference.engines import Engine
from ctseg.inference.predict import predict
from ctseg.masks.components import volumes_cm3, write_components
from ctseg.plurals import counted
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.scans.scan_warnings import passed_over

STEPS = {
    "lungs": "finding the lung field",
    "network": "segmenting with {}",
    "components": "measuring what was found",
}


@dataclass(frozen=True)
class Wanted:
    """How scans are read and segmented, as the command line has it; None is what is usual."""

    series_uid: str | None
    irregular: str
    rescale: list[float] | None
    memory_gib: float
    gpu_memory_gib: float | None
    model_hash: str  # SHA-256, where DICOM objects are wanted


@dataclass(frozen=True)
class Found:
    """What was found in a scan: lesions and volume of each label, the flags in words, and the files that tell it."""

    lesions: dict[str, int]
    volumes_cm3: dict[str, float]
    flags: list[str]
    files: list[Path]

    @property
    def in_all(self) -> int:
        """Lesions of all labels."""
        return sum(self.lesions.values())

    def in_words(self) -> str:
        """Lesions and volume of each label."""
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
    if outputs.dicom:
        findings = Findings(found.segmentation, labels, found.components, wanted.model_hash)
        _write_dicom(scan, wanted.series_uid, outputs.dicom, findings)
    numbers = [row["label"] for row in found.components]
    lesions = {label: numbers.count(number) for number, label in enumerate(labels, start=1)}
    return Found(lesions, volumes_cm3(found.components, labels), flags, written(outputs))


def written(outputs: Outputs) -> list[Path]:
    """The files of a scan."""
    from ctseg.dicom_export.write import NAMES

    objects = [outputs.dicom / name for name in NAMES] if outputs.dicom else []
    return [path for path in outputs.paths if path != outputs.dicom] + objects


def _write_dicom(scan: Path, series_uid: str | None, folder: Path, findings: Findings) -> None:
    """Write the DICOM objects for the series that was segmented."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.write import write_objects

    write_objects(folder, choose_stack(scan, series_uid), findings)


def _write_stability(image: Volume, segmentation: Volume, engine: Engine, how: dict[str, Any], path: Path) -> None:
    """Write and print how far the segmentation of an image moves when the network's grid does."""
    from ctseg.evaluation.stability import COLUMNS, stability, told
    from ctseg.lungs.segment import segment_lungs

    found = segment_lungs(image, engine.card.lungs) if engine.card.preparation.region == "lungs" else None
    plausible = found is not None and bool(found.facts["plausible"])
    rows = stability(segmentation, image, found.lungs if found else None, plausible, engine, **how)
    write_table(path, COLUMNS, rows)
    for row in rows:
        print(told(row))
