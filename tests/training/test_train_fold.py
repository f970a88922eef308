"""Training of one fold, from its input files to its weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ctseg.errors import InputError
from ctseg.training.batches import Share
from ctseg.training.prepared_cases import read_cases, training_hash
from ctseg.training.train_fold import train_fold


@pytest.fixture
def task(task):
    """Task of the shared fold, in one thread."""
    return replace(task, threads=1)


def test_weights_and_history_are_written_and_the_checkpoint_goes(task):
    train_fold(task)
    stored = torch.load(task.weights, weights_only=True)
    names = task.params["training"] + task.params["validation"]
    assert stored["training_hash"] == training_hash(read_cases(Path(task.cases), names))
    assert stored["patch_zyx"] == [8, 8, 8]
    assert all(torch.isfinite(value).all() for value in stored["network"].values())
    assert [line.split("\t")[0] for line in Path(task.history).read_text().splitlines()] == ["step", "5", "10"]
    assert not Path(task.checkpoint).exists()


def test_training_begins_with_the_weights_that_are_given(task, tmp_path):
    train_fold(task)
    first = torch.load(task.weights, weights_only=True)["network"]
    still = task.params | {"train": task.params["train"] | {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}}
    again = replace(task, params=still, init=task.weights, weights=str(tmp_path / "again.pt"))
    train_fold(again)
    for name, value in torch.load(again.weights, weights_only=True)["network"].items():
        if "running" not in name and value.is_floating_point():
            torch.testing.assert_close(value, first[name], msg=name)


def test_batches_that_cannot_be_shared_evenly_are_refused(task):
    with pytest.raises(InputError, match="3 GPUs cannot share batches of 4 patches evenly"):
        train_fold(task, Share(0, 3))
    assert not Path(task.weights).exists()
