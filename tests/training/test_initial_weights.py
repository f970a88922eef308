"""Initial weights from another study; layers that do not fit are reported."""

from dataclasses import replace

import pytest
import torch

from cards import CARD, SCALING
from ctseg.errors import InputError
from ctseg.export.model_files import export_torchscript
from ctseg.network.architectures import SegmentationModel, build_network
from ctseg.network.settings import NetworkSettings
from ctseg.training.initial_weights import starter

SETTINGS = NetworkSettings((4, 8, 8), 1, "instance", 0.0, ((2, 2, 2),) * 2, ((3, 3, 3),) * 3)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Network of another study with one class, and the folder of its weights.pt and model.ts."""
    folder = tmp_path_factory.mktemp("other")
    torch.manual_seed(1)
    network = build_network(SETTINGS, 1)
    torch.save({"network": network.state_dict(), "training_hash": "", "patch_zyx": [8, 8, 8]}, folder / "weights.pt")
    export_torchscript(SegmentationModel([network, network], SCALING), CARD, folder / "model.ts")
    (folder / "model.onnx").write_bytes(b"")
    (folder / "text.pt").write_text("no weights")
    return network, folder


@pytest.mark.parametrize("name", ["weights.pt", "model.ts"])
def test_the_same_network_takes_all_weights(other, name):
    network, folder = other
    torch.manual_seed(2)
    mine = build_network(SETTINGS, 1)
    starter(folder / name)(mine)
    for one, expected in zip(mine.state_dict().values(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(one, expected, rtol=0, atol=0)


def test_other_labels_begin_anew_in_the_last_layers_alone(other, caplog):
    folder = other[1]
    wide = replace(SETTINGS, channels=(16, 32, 64))
    torch.save({"network": build_network(wide, 1).state_dict()}, folder / "wide.pt")
    mine = build_network(wide, 2)
    caplog.set_level("INFO")
    starter(folder / "wide.pt")(mine)
    assert "model.2" in caplog.text
    stored = torch.load(folder / "wide.pt", weights_only=True)["network"]
    name = next(iter(stored))
    torch.testing.assert_close(mine.state_dict()[name], stored[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            replace(SETTINGS, channels=(8, 16, 16)),
            r"layers of .*weights.pt have other sizes .*: \S+ has \[4, 1, 3, 3, 3\]",
        ),
        (replace(SETTINGS, channels=(4, 8), strides_zyx=((2, 2, 2),)), "has other layers than this study's"),
        (replace(SETTINGS, architecture="dynunet"), "has other layers than this study's"),
    ],
)
def test_another_network_is_refused_by_name(other, settings, problem):
    with pytest.raises(InputError, match=problem):
        starter(other[1] / "weights.pt")(build_network(settings, 1))


@pytest.mark.parametrize(
    ("name", "problem"), [("model.onnx", "give the model.ts"), ("text.pt", "neither a weights.pt nor a model.ts")]
)
def test_other_files_are_refused(other, name, problem):
    with pytest.raises(InputError, match=problem):
        starter(other[1] / name)
