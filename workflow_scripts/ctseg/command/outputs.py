"""Output paths of a command, and checks that they can be written and do not overwrite a scan or each other."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctseg.errors import InputError, refusal

SUFFIXES = (".nii.gz", ".nii")
TABLE_OF_ALL = "scans.tsv"
TRIAL = bytes(4096)  # content of a trial file: a full disk may have room for an empty file


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

    @property
    def files(self) -> list[Path]:
        """All requested files; those of `dicom` one by one."""
        files = [path for path in self.paths if path != self.dicom]
        if self.dicom is None:
            return files
        from ctseg.dicom_export.write import NAMES  # pydicom takes 0.3 s to import

        return files + [self.dicom / name for name in NAMES]


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


def try_writing(paths: Iterable[Path]) -> None:
    """Write and remove a file for each output, so that no run ends at the first result that it cannot write.

    Where the folder of an output is missing, the nearest folder above is tried; nothing is left there. Raises
    InputError for an output that cannot be written, or whose place is taken by a file or folder of its name.
    """
    trials = {}
    for path in paths:
        folder = next(place for place in path.parents if os.path.lexists(place))
        trials[folder / f".partial-{path.name}"] = path  # as long a name as that of the unfinished output
    for trial, path in trials.items():
        _try(path, trial)


def _try(path: Path, trial: Path) -> None:
    """Write and remove a trial file for the output `path`; raises InputError as `try_writing` does."""
    if not trial.parent.is_dir():
        raise InputError(f"{trial.parent} is a file, and {path} needs a folder there; give another output")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, and the output is a file of this name; give another output")
        try:
            trial.write_bytes(TRIAL)
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        told = refusal(OSError(error.errno, error.strerror, str(path)))
        raise InputError(told or f"{path} cannot be written ({error.strerror}); give another output") from None
