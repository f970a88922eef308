"""Prepared cases for training; they are memory-mapped, so that batches read only their patches."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ctseg.preprocessing.foreground import read_foreground
from ctseg.scans.nifti import read_nifti
from ctseg.training.patch_sampling import TrainingCase
from ctseg.training.settings import TrainSettings


def read_cases(folder: Path, names: list[str]) -> list[TrainingCase]:
    """The prepared cases `names` of `folder`; images and labels are mapped, not read."""
    return [_read_case(folder, name) for name in names]


def _read_case(folder: Path, name: str) -> TrainingCase:
    """One prepared case."""
    image, label = (read_nifti(folder / name / f"{kind}.nii").voxels_zyx for kind in ("image", "label"))
    return TrainingCase(name, image, label, read_foreground(folder / name / "foreground.npz"))


def training_hash(cases: list[TrainingCase]) -> str:
    """SHA-256 over the names and voxels of all cases, in order."""
    digest = hashlib.sha256()
    for case in cases:
        digest.update(case.case.encode())
        digest.update(np.ascontiguousarray(case.image_zyx).data)
        digest.update(np.ascontiguousarray(case.label_zyx).data)
    return digest.hexdigest()


def run_identity(data_hash: str, settings: TrainSettings, code: str, start: bytes = b"") -> str:
    """Hash of the inputs of a training run: data, settings, code, and the content `start` of a file of weights."""
    begin = hashlib.sha256(start).hexdigest()
    return hashlib.sha256(f"{data_hash} {asdict(settings)} {code} {begin}".encode()).hexdigest()
