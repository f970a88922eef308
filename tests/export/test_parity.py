"""Exported files must produce the results of the trained model; otherwise the export fails."""

import copy

import numpy as np
import pytest
import torch

from cards import NETWORK
from ctseg.errors import InputError
from ctseg.export.parity import DIFFERENCE, LIBTORCH, compare, parity_sizes, precision_of, require_parity
from ctseg.inference.engines import load_engine


def test_an_ensemble_is_one_graph_that_equals_torch_at_three_sizes(exported):
    model, folder = exported
    torch_on, rows = compare(model, folder / "model.onnx", NETWORK.multiple_zyx, seed=0)
    assert "CPU float32" in torch_on
    assert {f"{name}{DIFFERENCE}" for name in ("openvino", "onnxruntime", "torch", LIBTORCH)} < set(rows[0])
    assert len({tuple(row["shape"]) for row in rows}) == 3
    require_parity(rows, {"float32": 1e-4}, "float32")


def test_a_difference_stops_the_export(exported):
    model, folder = exported
    changed = copy.deepcopy(model)
    with torch.no_grad():
        next(changed.parameters()).add_(1.0)
    _, rows = compare(changed, folder / "model.onnx", NETWORK.multiple_zyx, seed=0)
    with pytest.raises(InputError, match="must not be used"):
        require_parity(rows, {"float32": 1e-3}, "float32")
    with pytest.raises(InputError, match="must not be used"):
        require_parity([{"openvino_max_difference": float("nan")}], {"float32": 1e-3}, "float32")


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Simulate the precisions of a GPU for the torch engine on the CPU."""
    monkeypatch.setattr("ctseg.export.parity.lower_precisions", lambda engine: ["tf32", "bfloat16"])

    def load(path, threads, name, precision):
        engine = load_engine(path, threads, name, "float32")
        engine.on_gpu = name == "torch"
        if precision != "float32":
            return lambda hu: engine(hu) + np.float32(0.01 if precision == "tf32" else 0.1)
        return engine

    monkeypatch.setattr("ctseg.export.parity.load_engine", load)


def test_lower_precisions_of_a_gpu_are_told_and_refused_where_they_are_shipped(exported, as_on_a_gpu, caplog):
    model, folder = exported
    _, rows = compare(model, folder / "model.onnx", NETWORK.multiple_zyx, seed=0)
    assert rows[0]["torch_tf32_max_difference"] == pytest.approx(0.01, abs=1e-4)
    tolerances = {"float32": 1e-3, "tf32": 0.02, "bfloat16": 0.05}
    require_parity(rows, tolerances, "tf32")
    assert "parity_tolerances.bfloat16 = 0.05" in caplog.text
    with pytest.raises(InputError, match="torch_bfloat16 the exported model differs"):
        require_parity(rows, tolerances, "bfloat16")
    assert [precision_of(name) for name in ("openvino", "torch", "torch_tf32")] == ["float32", "float32", "tf32"]


@pytest.mark.parametrize("patch", [(8, 16, 12), (64, 64, 32)])
def test_sizes_to_compare_at_are_three_and_fit_the_network(patch):
    sizes = parity_sizes(patch, (4, 4, 2))
    assert len(set(sizes)) == 3
    assert sizes[0] == (1, *patch)
    assert len({batch for batch, *_ in sizes}) == 3
    for _, *size in sizes:
        assert all(n % multiple == 0 for n, multiple in zip(size, (4, 4, 2), strict=True))


def test_the_message_names_the_run_and_the_key():
    rows = [{"shape": [1], "openvino_max_difference": 1e-5}, {"shape": [2], "openvino_max_difference": 0.5}]
    with pytest.raises(InputError, match=r"with openvino .* by 0\.5, more than .*parity_tolerance = 0\.001"):
        require_parity(rows, {"float32": 1e-3}, "float32")
    require_parity(rows, {"float32": 0.5}, "float32")
