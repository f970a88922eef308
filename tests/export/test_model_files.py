import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from cards import CARD, NETWORK, SCALING
from command import with_folders
from ctseg.errors import InputError
from ctseg.export.model_files import build_model, export_onnx, read_weights
from ctseg.inference.engines import load_engine
from ctseg.inference.model_card import ModelCard
from ctseg.network.architectures import SegmentationModel, build_network
from places import ROOT, SCRIPTS


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


@pytest.mark.slow
def test_another_process_writes_the_same_onnx_bytes(tmp_path):
    code = (
        "import sys, torch; from pathlib import Path; from ball_model import CARD, NETWORK, export_onnx; "
        "from ctseg.network.architectures import SegmentationModel, build_network; torch.manual_seed(0); "
        "model = SegmentationModel([build_network(NETWORK, 1).eval()], CARD.scaling).eval(); "
        "export_onnx(model, CARD, Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):  # PYTHONHASHSEED, which determines the order of sets
        environment = with_folders(ROOT / "tests" / "support", SCRIPTS, PYTHONHASHSEED=seed)
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
        with pytest.raises(InputError, match="not a ctseg model"):
            load_engine(tmp_path / "bare.onnx", 1, engine)
    with pytest.raises(InputError, match=r"needs .*bare\.ts"):
        load_engine(tmp_path / "bare.onnx", 1, "torch")
    (tmp_path / "bare.ts").write_text("no model")
    with pytest.raises(InputError, match=r"bare\.ts cannot be loaded"):
        load_engine(tmp_path / "bare.onnx", 1, "torch")


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
