"""Several processes that share each batch train like a single process."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctseg.errors import InputError
from ctseg.training.distributed import train_in_processes
from ctseg.training.train_fold import train_fold


def trained(task):
    return torch.load(task.weights, weights_only=True)["network"]


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(task, tmp_path):
    train_fold(task)
    alone = replace(task, weights=str(tmp_path / "two.pt"), history=str(tmp_path / "two.tsv"))
    train_in_processes(alone, 2)
    one, two = trained(task), trained(alone)
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)
    rows = [np.genfromtxt(path, names=True, dtype=None) for path in (task.history, alone.history)]
    np.testing.assert_allclose(rows[0]["validation_dice"], rows[1]["validation_dice"], atol=1e-3)


@pytest.mark.slow
def test_what_goes_wrong_in_a_process_is_told_in_words(task):
    with pytest.raises(InputError, match="3 GPUs cannot share batches of 4 patches evenly"):
        train_in_processes(task, 3)
