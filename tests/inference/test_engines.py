"""Comparison of the engines with each other and with torch, on a trained network."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ball_model import CARD, NETWORK, balls
from ball_results import dice, labels
from ctseg.errors import InputError
from ctseg.export.model_files import window_bytes
from ctseg.hardware import has_bfloat16
from ctseg.inference.engines import load_engine, lower_precisions, mirrored
from ctseg.inference.model_card import InferSettings
from ctseg.network.architectures import SegmentationModel, build_network


def test_the_network_has_learnt_something(model_folder, scan):
    assert dice(labels(load_engine(model_folder / "model.onnx", 2), scan), scan[1]) > 0.9


@pytest.mark.parametrize("settings", [InferSettings("patch", 0.5), InferSettings("large", 0.25)])
def test_engines_agree_on_all_but_one_voxel_in_100_000(model_folder, scan, trained, settings):
    def eager(patches):
        with torch.inference_mode():
            return trained(torch.from_numpy(patches)).numpy()

    eager.card, eager.on_gpu = CARD, False
    expected = labels(eager, scan, settings=settings)
    for name in ("openvino", "onnxruntime", "torch"):
        found = labels(load_engine(model_folder / "model.onnx", 2, name), scan, settings=settings)
        assert np.count_nonzero(found != expected) <= 1e-5 * expected.size, name
        assert dice(found, expected) >= 0.9999


def test_threads_do_not_change_a_bit(model_folder):
    patch = balls(5, 24)[0].astype(np.float32)[None, None]
    one, two = (load_engine(model_folder / "model.onnx", threads, "openvino")(patch) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_bfloat16_is_used_only_where_the_processor_has_it(model_folder, scan):
    engine = load_engine(model_folder / "model.onnx", 2, "openvino", "bfloat16")
    assert ("bfloat16" if has_bfloat16() else "float32") in engine.name
    assert dice(labels(engine, scan), scan[1]) > 0.9


def test_the_memory_of_a_window_grows_with_the_network(trained):
    wider = SegmentationModel([build_network(replace(NETWORK, channels=(32, 64, 64)), 1).eval()], trained.scaling)
    assert window_bytes(wider, (16, 16, 16)) > 2 * window_bytes(trained, (16, 16, 16)) > 20


def test_mirror_images_are_averaged_over_all_combinations():
    def corner(patches):
        found = np.zeros_like(patches)
        found[:, :, 0, 0, 0] = 1
        return found

    found = mirrored(corner, "zx")(np.zeros((1, 1, 4, 4, 4), np.float32))[0, 0]
    assert found[[0, 0, -1, -1], 0, [0, -1, 0, -1]].tolist() == [0.25] * 4
    assert found.sum() == 1
    assert mirrored(corner, "") is corner


def test_a_flip_of_the_scan_flips_the_answer_with_mirror_images(model_folder, scan):
    engine = load_engine(model_folder / "model.onnx", 2)
    patch = scan[0].voxels_zyx[None, None].astype(np.float32)
    both = mirrored(engine, "x")
    turned = np.ascontiguousarray(np.flip(patch, -1))
    np.testing.assert_allclose(np.flip(both(turned), -1), both(patch), atol=1e-5)


def test_every_lower_precision_of_an_engine_can_be_loaded(model_folder):
    for name in ("openvino", "onnxruntime", "torch"):
        for precision in lower_precisions(name):
            path = model_folder / ("model.int8.onnx" if precision == "int8" else "model.onnx")
            assert load_engine(path, 1, name, precision).card.labels == CARD.labels
    assert "int8" not in lower_precisions("torch")


def test_a_file_for_another_engine_is_refused(model_folder):
    with pytest.raises(InputError, match=r"model\.ts for torch"):
        load_engine(model_folder / "model.ts", 1, "openvino")


def test_inference_on_a_processor_imports_neither_torch_nor_monai(model_folder):
    code = (
        "import sys; from ctseg.inference.engines import load_engine; from ctseg.inference.predict import predict; "
        f"load_engine({str(model_folder / 'model.onnx')!r}, 1); "
        "print([name for name in ('torch', 'monai', 'onnx', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
