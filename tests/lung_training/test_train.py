from dataclasses import replace

import numpy as np
import pytest
import torch

from ctseg.export.onnx_card import card_of
from ctseg.lung_training import train as lung_train
from ctseg.lung_training.made_cases import phantom_cases
from ctseg.lung_training.train import LABELS, THREADS, further_cases, prepared, settings, train, training_cases
from ctseg.lungs.network import probabilities
from real_data import FOLDER, real_data


@pytest.fixture
def same_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("same_threads")
def test_two_trainings_give_the_same_file(tmp_path):
    cases = prepared(phantom_cases(8, bodies=1, versions=3), 8)
    used = settings(2, 0.001)
    used = replace(used, patch_zyx=(32, 32, 32), validate_every=2, network=replace(used.network, channels=(4, 4, 4, 4)))
    files = [tmp_path / name for name in ("first.onnx", "second.onnx")]
    for path in files:
        train((cases, cases[:1]), cases, (used, used), path, tmp_path / path.stem)
    assert files[0].read_bytes() == files[1].read_bytes()
    card = card_of(files[0])
    assert card.labels == LABELS
    assert card.preparation.spacing_xyz_mm == (3.0, 3.0, 3.0)
    found = probabilities(np.full((20, 33, 40), -800, np.float32), files[0])
    assert found.shape == (2, 20, 33, 40)
    assert (found.sum(axis=0) <= 1 + 1e-5).all()


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.timeout(3000)
def test_the_shipped_network_was_trained_on_the_cases_that_are_made_today():
    for scan in (*lung_train.CHESTS, *lung_train.WITHOUT_LUNGS):
        real_data(scan.path)
    cases = [*training_cases(FOLDER), *further_cases(FOLDER)]
    assert card_of(lung_train.LUNG_NETWORK).training_hash == lung_train.training_hash(cases)
