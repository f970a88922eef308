"""Networks of all architectures have the same inputs and outputs and survive the export."""

from itertools import product

import pytest
import torch
import yaml

from ctseg.export import compare, export_onnx, export_torchscript, require_parity
from ctseg.losses import LOSSES
from ctseg.network import ARCHITECTURES, PRIOR, NetworkSettings, SegmentationModel, build_network
from real_data import ROOT
from test_export import CARD

SCHEMA = yaml.safe_load((ROOT / "rules/schemas/config.schema.yaml").read_text())["properties"]
SETTINGS = {
    "unet": NetworkSettings((4, 8, 16), 1, "batch", 0.1),
    "dynunet": NetworkSettings((4, 8, 16), 0, "instance", 0.1, "dynunet", deep_supervision=True),
    "segresnet": NetworkSettings((4, 8, 16), 1, "group", 0.1, "segresnet"),
}


def test_the_schema_names_what_there_is():
    assert SCHEMA["network"]["properties"]["architecture"]["enum"] == list(ARCHITECTURES) == list(SETTINGS)
    assert SCHEMA["train"]["properties"]["loss"]["enum"] == list(LOSSES)


@pytest.mark.parametrize("name, n_classes", product(SETTINGS, [1, 3]))
def test_a_network_keeps_size_and_expects_little(name, n_classes):
    torch.manual_seed(0)
    network = build_network(SETTINGS[name], n_classes).eval()
    logits = network(torch.randn(2, 1, 16, 24, 8))
    assert logits.shape == (2, n_classes, 16, 24, 8)
    assert torch.sigmoid(logits).median().item() == pytest.approx(PRIOR, abs=0.03)


def test_coarser_levels_segment_in_training_alone():
    network = build_network(SETTINGS["dynunet"], 2)
    assert network.train()(torch.randn(2, 1, 16, 16, 16)).shape == (2, 2, 2, 16, 16, 16)
    assert network.eval()(torch.randn(2, 1, 16, 16, 16)).shape == (2, 2, 16, 16, 16)


@pytest.mark.parametrize("name", ["dynunet", "segresnet"])
def test_every_architecture_is_exported(name, tmp_path):
    torch.manual_seed(0)
    network = build_network(SETTINGS[name], n_classes=2).eval()
    model = SegmentationModel([network], CARD.preparation.window_hu).eval()
    export_onnx(model, CARD, tmp_path / "model.onnx")
    export_torchscript(model, CARD, tmp_path / "model.ts")
    rows = compare(model, tmp_path / "model.onnx", tmp_path / "model.ts", SETTINGS[name].size_multiple, seed=0)
    require_parity(rows, tolerance=1e-4)
