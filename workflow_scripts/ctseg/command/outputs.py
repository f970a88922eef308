"""Output paths of a prediction, and checks that they do not overwrite a scan or each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctseg.errors import InputError

SUFFIXES = (".nii.gz", ".nii")
TABLE_OF_ALL = "scans.tsv"


@dataclass(frozen=True)
class Outputs:
    """Paths of the files written for a scan, None for files not requested; `dicom` is the folder of DICOM objects."""

    mask: Path
    table: Path
    uncertainty: Path | None
    stability: Path | None
    dicom: Path | None

    @property
    def paths(self) -> list[Path]:
        """All requested outputs."""
        return [path for path in (self.mask, self.table, self.uncertainty, self.stability, self.dicom) if path]


def outputs_of(mask: Path, uncertainty: bool, stability: bool, dicom: Path | None) -> Outputs:
    """The outputs with the label map `mask`. Raises InputError unless its name ends in .nii.gz or .nii."""
    stem = without_suffix(mask)
    return Outputs(
        mask,
        stem.with_name(f"{stem.name}.tsv"),
        stem.with_name(f"{stem.name}_uncertainty.nii.gz") if uncertainty else None,
        stem.with_name(f"{stem.name}_stability.tsv") if stability else None,
        dicom,
    )


def is_folder(output: str) -> bool:
    """Whether an output is a folder for several scans: it ends in /, exists as a folder, or has no suffix."""
    return output.endswith("/") or Path(output).is_dir() or not Path(output).suffix


def without_suffix(output: Path) -> Path:
    """The output without .nii or .nii.gz. Raises InputError for another name."""
    for suffix in SUFFIXES:
        if output.name.endswith(suffix):
            return output.with_name(output.name.removesuffix(suffix))
    raise InputError(f"--output {output} should end in .nii.gz or .nii, or in / as a folder for several scans")


def refuse_overwriting(scan: Path, paths: Iterable[Path]) -> None:
    """Raise InputError if an output would overwrite the scan or be written into its folder."""
    place = scan.resolve()
    for path in paths:
        if place in (path.resolve(), *path.resolve().parents):
            raise InputError(f"{path} would be written over the scan {scan} or into its folder; give another output")


def refuse_same(outputs: Iterable[Outputs], table_of_all: Path) -> None:
    """Raise InputError if two results would have the same path."""
    seen = {table_of_all}
    for path in (path for each in outputs for path in each.paths):
        if path in seen:
            raise InputError(f"{path} would be written twice; give the scans one by one, or rename one")
        seen.add(path)
