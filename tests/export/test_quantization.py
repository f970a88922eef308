"""8-bit models: small loss of accuracy, and identical models from identical patches."""

import numpy as np
import pytest

from ball_model import CARD, balls, write_int8
from ball_results import dice, labels
from ctseg.export.onnx_card import card_of
from ctseg.export.quantization import calibration_patches
from ctseg.inference.engines import load_engine
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.training.patch_sampling import TrainingCase


def test_8_bit_integers_lose_little(model_folder, scan):
    assert card_of(model_folder / "model.int8.onnx").infer.precision == "int8"
    for name in ("openvino", "onnxruntime"):
        found = labels(load_engine(model_folder / "model.int8.onnx", 2, name), scan)
        assert dice(found, labels(load_engine(model_folder / "model.onnx", 2), scan)) > 0.97


def test_the_same_patches_give_the_same_integers(model_folder, tmp_path):
    write_int8(model_folder / "model.onnx", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (model_folder / "model.int8.onnx").read_bytes()


@pytest.fixture(scope="module")
def cases():
    """Case with a ball, and case without a target."""
    hu, mask = balls(1)
    nothing = np.zeros(mask.shape, np.uint8)
    return [
        TrainingCase("a", hu, mask.astype(np.uint8), find_foreground(mask, 1, mask.size, 0)),
        TrainingCase("b", hu, nothing, find_foreground(nothing, 1, mask.size, 0)),
    ]


def test_patches_are_what_the_network_sees_and_follow_from_the_seed(cases):
    first, again, other = (list(calibration_patches(cases[:1], CARD, seed, 5)) for seed in (1, 1, 2))
    assert [patch.shape for patch in first] == [(1, 1, *CARD.patch_zyx)] * 5
    assert {patch.dtype for patch in first} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cases_without_a_target_calibrate_too(cases):
    assert len(list(calibration_patches(cases[1:], CARD, 1, 3))) == 3
