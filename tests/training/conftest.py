"""Fixtures for training: a fold with its cases on disk, and a finished run."""

import json

import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.preprocessing.foreground import write_foreground
from ctseg.scans.nifti import write_nifti
from ctseg.training.train_fold import FoldTask
from training_data import make_case, trainer

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
PLAN = {
    "spacing_mm": [1, 1, 1],
    "window_hu": [-1000, 400],
    "scaling_hu": [-300, 700],
    "channels": [4, 8],
    "stem": [1, 1, 1],
    "strides": [[2, 2, 2]],
    "kernel_sizes": [[3, 3, 3]] * 2,
    "patch_size": [8, 8, 8],
    "batch_size": 4,
}


@pytest.fixture
def task(tmp_path):
    """Task of a fold with three prepared cases on disk."""
    for seed in range(3):
        case, folder = make_case(seed), tmp_path / "cases" / f"case-{seed}"
        grid = Grid(case.image_zyx.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
        write_nifti(Volume(case.image_zyx, grid), folder / "image.nii")
        write_nifti(Volume(case.label_zyx, grid), folder / "label.nii")
        write_foreground(case.foreground, folder / "foreground.npz")
    (tmp_path / "plan.json").write_text(json.dumps({key: {"value": value} for key, value in PLAN.items()}))
    train = {"steps": 10, "validate_every": 5, "patience": 5, "learning_rate": 0.01, "warmup_steps": 2}
    train |= {"optimiser": "sgd", "schedule": "cosine", "accumulate": 1, "weight_decay": 0.0, "ema_decay": 0.9}
    train |= {
        "foreground_probability": 0.7,
        "volume_exponent": 0.5,
        "precision": "float32",
        "data_on": "auto",
        "on_oom": "error",
        "freeze_encoder": False,
    }
    train |= {"loss": "dice_bce", "dice_weight": 0.5, "batch_dice": True, "class_weights": {}}
    network = {"architecture": "unet", "residual_units": 1, "norm": "instance", "dropout": 0.0}
    network |= {"deep_supervision": False, "exclusive": False}
    augment = {"flip_axes": ["x"], "rotate_degrees": 15, "noise_hu": 10}
    params = {
        "train": train,
        "network": network,
        "augment": augment,
        "labels": ["ball"],
        "fold": 0,
        "repeat": 0,
        "seed": 1,
    }
    params |= {"training": ["case-0", "case-1"], "validation": ["case-2", "case-1"]}
    paths = {
        name: str(tmp_path / name) for name in ("cases", "plan.json", "weights.pt", "history.tsv", "checkpoint.pt")
    }
    return FoldTask(params, "code", paths["plan.json"], paths["cases"], "", *list(paths.values())[2:], 2, use_gpu=False)


@pytest.fixture
def plan():
    """Plan of the fold in the format of plan.json."""
    return {key: {"value": value} for key, value in PLAN.items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Trainer of a complete run without interruption."""
    run = trainer()
    run.run(tmp_path_factory.mktemp("train") / "checkpoint.pt", progress=False)
    return run
