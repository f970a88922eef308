"""Untrained model with its files."""

import pytest
import torch

from cards import CARD, NETWORK, SCALING
from ctseg.export.model_files import export_onnx, export_torchscript
from ctseg.network.architectures import SegmentationModel, build_network


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Ensemble of two untrained networks, with its ONNX and TorchScript files."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    networks = [build_network(NETWORK, n_classes=2).eval() for _ in range(2)]
    model = SegmentationModel(networks, SCALING).eval()
    export_onnx(model, CARD, folder / "model.onnx")
    export_torchscript(model, CARD, folder / "model.ts")
    return model, folder
