"""Prepared cases as training reads them: memory-mapped, so that only the patches are read."""

import hashlib
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ctseg.sampling import Foreground, TrainingCase
from ctseg.training_settings import TrainSettings
from ctseg.volume import read_nifti


def read_cases(folder: Path, names: list[str]) -> list[TrainingCase]:
    """The prepared cases `names` of `folder`; images and labels are mapped, not read."""
    return [_read_case(folder, name) for name in names]


def _read_case(folder: Path, name: str) -> TrainingCase:
    """One prepared case."""
    with np.load(folder / name / "foreground.npz") as stored:
        names = [field.name for field in fields(Foreground)]
        classes = range(1, len(stored.files) // len(names) + 1)
        foreground = tuple(Foreground(**{name: stored[f"{name}_{value}"] for name in names}) for value in classes)
    image = read_nifti(folder / name / "image.nii").voxels_zyx
    return TrainingCase(name, image, read_nifti(folder / name / "label.nii").voxels_zyx, foreground)


def training_hash(cases: list[TrainingCase]) -> str:
    """SHA-256 over the names and voxels of all cases, in order."""
    digest = hashlib.sha256()
    for case in cases:
        digest.update(case.case.encode())
        digest.update(np.ascontiguousarray(case.image_zyx).data)
        digest.update(np.ascontiguousarray(case.label_zyx).data)
    return digest.hexdigest()


def run_identity(data_hash: str, settings: TrainSettings, code: str, start: bytes = b"") -> str:
    """Hash of all that a training run depends on: data, settings, code, and the file of the weights to start from."""
    begin = hashlib.sha256(start).hexdigest()
    return hashlib.sha256(f"{data_hash} {asdict(settings)} {code} {begin}".encode()).hexdigest()
