import copy
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from cards import CARD, NETWORK, SCALING
from ctseg.errors import InputError
from ctseg.export.model_files import build_model, export_onnx, export_torchscript, read_weights
from ctseg.export.parity import DIFFERENCE, LIBTORCH, compare, precision_of, require_parity
from ctseg.inference.engines import load_engine
from ctseg.inference.model_card import METADATA_KEY, ModelCard
from ctseg.network.architectures import SegmentationModel, build_network
from places import ROOT, SCRIPTS


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An ensemble of two untrained networks with its ONNX and TorchScript files."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    networks = [build_network(NETWORK, n_classes=2).eval() for _ in range(2)]
    model = SegmentationModel(networks, SCALING).eval()
    export_onnx(model, CARD, folder / "model.onnx")
    export_torchscript(model, CARD, folder / "model.ts")
    return model, folder


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
    """The engine torch on this processor, but with the precisions of a GPU."""
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


def test_the_model_file_describes_itself(exported):
    _, folder = exported
    engine = load_engine(folder / "model.onnx", threads=1)
    assert engine.card == CARD
    extra = {"ctseg.json": ""}
    torch.jit.load(str(folder / "model.ts"), _extra_files=extra)
    assert ModelCard.from_json(extra["ctseg.json"]) == CARD


def test_values_outside_of_the_window_do_not_matter(exported):
    _, folder = exported
    engine = load_engine(folder / "model.onnx", threads=1)
    hu = np.random.default_rng(0).uniform(-3000, 3000, (1, 1, 8, 8, 8)).astype(np.float32)
    probabilities = engine(hu)
    assert probabilities.shape == (1, 2, 8, 8, 8)
    np.testing.assert_array_equal(probabilities, engine(hu.clip(-1000, 400)))


def test_the_model_files_name_no_path_of_this_machine(exported):
    _, folder = exported
    with zipfile.ZipFile(folder / "model.ts") as archive:
        records = [archive.read(name) for name in archive.namelist()]
    for data in [(folder / "model.onnx").read_bytes(), *records]:
        assert b"workflow_scripts" not in data
        assert b"site-packages" not in data


def test_the_same_weights_give_the_same_onnx_bytes(exported, tmp_path):
    model, folder = exported
    export_onnx(model, CARD, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def test_another_process_writes_the_same_onnx_bytes(tmp_path):
    code = (
        "import sys, torch; from pathlib import Path; from ball_model import CARD, NETWORK, export_onnx; "
        "from ctseg.network.architectures import SegmentationModel, build_network; torch.manual_seed(0); "
        "model = SegmentationModel([build_network(NETWORK, 1).eval()], CARD.scaling).eval(); "
        "export_onnx(model, CARD, Path(sys.argv[1]))"
    )
    folders = os.pathsep.join([str(ROOT / "tests" / "support"), str(SCRIPTS)])
    for seed in ("1", "2"):  # of Python's hashes, which decide the order of sets
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": folders}
        command = [sys.executable, "-c", code, str(tmp_path / f"{seed}.onnx")]
        subprocess.run(command, check=True, env=environment, capture_output=True)
    assert (tmp_path / "1.onnx").read_bytes() == (tmp_path / "2.onnx").read_bytes()


def test_weights_of_all_folds_make_one_model(tmp_path):
    networks = [build_network(NETWORK, n_classes=1) for _ in range(2)]
    for fold, network in enumerate(networks):
        stored = {"network": network.state_dict(), "training_hash": str(fold), "patch_zyx": [8, 8 + 8 * fold, 16]}
        torch.save(stored, tmp_path / f"{fold}.pt")
    weights = read_weights([tmp_path / "0.pt", tmp_path / "1.pt"])
    model = build_model(weights, NETWORK, 1, SCALING)
    hu = torch.zeros(1, 1, 8, 8, 8)
    members = [SegmentationModel([network.eval()], SCALING)(hu) for network in networks]
    torch.testing.assert_close(model(hu), torch.stack(members).mean(dim=0))


def test_other_files_are_refused_by_name(exported, tmp_path):
    _, folder = exported
    with pytest.raises(InputError, match=r"none\.onnx does not exist"):
        load_engine(tmp_path / "none.onnx", threads=1)
    (tmp_path / "text.onnx").write_text("no model")
    graph = onnx.load(folder / "model.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "bare.onnx")
    for engine in ("openvino", "onnxruntime"):
        with pytest.raises(InputError, match=r"text\.onnx cannot be loaded"):
            load_engine(tmp_path / "text.onnx", 1, engine)
        with pytest.raises(InputError, match="no ctseg model"):
            load_engine(tmp_path / "bare.onnx", 1, engine)
    with pytest.raises(InputError, match=r"needs .*bare\.ts"):
        load_engine(tmp_path / "bare.onnx", 1, "torch")
    (tmp_path / "bare.ts").write_text("no model")
    with pytest.raises(InputError, match=r"bare\.ts cannot be loaded"):
        load_engine(tmp_path / "bare.onnx", 1, "torch")


@pytest.mark.parametrize(("older", "missing"), [(3, ["provenance", "network", "scaling"]), (4, ["network", "scaling"])])
def test_a_card_of_an_older_format_is_still_read(older, missing):
    content = json.loads(CARD.to_json())
    for name in missing:
        del content[name]
    found = ModelCard.from_json(json.dumps(content | {"format": older}))
    assert found == replace(CARD, network=None, scaling=None)


def test_a_card_of_a_newer_format_is_refused():
    newer = CARD.to_json().replace('"format": 5', '"format": 6')
    with pytest.raises(InputError, match="format 6"):
        ModelCard.from_json(newer)
    assert METADATA_KEY == "ctseg"
    assert replace(CARD, threshold=0.25) != CARD


def test_plain_onnx_runtime_takes_the_sizes_that_the_graph_names(exported):
    _, folder = exported
    model = onnx.load(folder / "model.onnx")
    for value, channels in ((model.graph.input[0], 1), (model.graph.output[0], 2)):
        named = [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        assert named == [
            "batch",
            channels,
            *(f"{multiple}*{axis}" for multiple, axis in zip((4, 4, 4), "zyx", strict=True)),
        ]
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    for size in ((8, 8, 8), (4, 16, 12), (48, 8, 20)):
        hu = np.zeros((1, 1, *size), np.float32)
        assert session.run(None, {"hu": hu})[0].shape == (1, 2, *size)
