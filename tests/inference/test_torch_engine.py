"""Engine for GPUs, tested without a GPU: no tensor stays on the CPU."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ball_model import CARD
from cards import SCALING
from ctseg.errors import InputError
from ctseg.export.model_files import export_torchscript
from ctseg.hardware import has_bfloat16
from ctseg.inference.engines import describes_network, load_engine
from ctseg.inference.torch_engine import TorchEngine, built, precision_on, read_torchscript
from ctseg.network.architectures import SegmentationModel, build_network
from networks import SETTINGS

# Nodes that a trace creates for arithmetic of shapes: 0-D tensors that stay on the device of the trace.
SHAPE_ARITHMETIC = {"prim::NumToTensor", "aten::Int", "aten::ScalarImplicit", "aten::floor_divide", "aten::tensor"}


class OneDevice(TorchDispatchMode):
    """Raises AssertionError if an operation uses a tensor on another device."""

    def __init__(self, device):
        super().__init__()
        self.device = torch.device(device)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for value in tree_leaves([args, kwargs, found]):
            if isinstance(value, torch.Tensor) and value.device != self.device:
                raise AssertionError(f"{func} has a tensor on {value.device}")
        return found


def model_of(name, n_classes, exclusive=False, members=1):
    torch.manual_seed(0)
    settings = replace(SETTINGS[name], exclusive=exclusive)
    model = SegmentationModel([build_network(settings, n_classes) for _ in range(members)], SCALING, exclusive).eval()
    labels = tuple("abc"[:n_classes])
    sizes = {"n_networks": members, "multiple_zyx": settings.multiple_zyx}
    card = replace(CARD, labels=labels, network=settings, scaling=SCALING, **sizes)
    return model, card


@pytest.fixture(scope="module", params=product(SETTINGS, [(1, False, 1), (2, True, 2)]), ids=str)
def exported(request, tmp_path_factory):
    """Model of each architecture, with one class or as an ensemble with exclusive classes; its card and .ts file."""
    name, (n_classes, exclusive, members) = request.param
    model, card = model_of(name, n_classes, exclusive, members)
    path = tmp_path_factory.mktemp("model") / "model.ts"
    export_torchscript(model, card, path)
    return model, card, path


def test_the_graph_for_libtorch_holds_nothing_that_is_bound_to_a_device(exported):
    graph = torch.jit.load(str(exported[2])).inlined_graph
    for node in graph.nodes():
        assert node.kind() not in SHAPE_ARITHMETIC, node
        if node.kind() == "prim::Constant" and node.output().type().kind() == "TensorType":
            # Allowed constants are centre and spread of HU, numbers that work with tensors on any device, not sizes.
            number = node.output().toIValue()
            assert number.ndim == 0, node
            assert number.is_floating_point(), node
            assert {use.user.kind() for use in node.output().uses()} <= {"aten::sub", "aten::mul"}, node
        elif node.kind() == "prim::Constant":
            assert node.output().type().kind() != "DeviceObjType", node


def test_the_network_leaves_no_tensor_on_another_device(exported):
    _, card, path = exported
    again = built(card, read_torchscript(path)[1], torch.device("meta"))
    with OneDevice("meta"), torch.inference_mode():
        found = again(torch.empty(2, 1, 8, 16, 8, device="meta"))
    assert found.shape == (2, len(card.labels), 8, 16, 8)


def test_card_and_weights_make_the_network_that_was_trained(exported):
    model, card, path = exported
    engine = TorchEngine(path, 2, device="cpu")
    hu = np.random.default_rng(0).uniform(-1100, 500, (2, 1, 8, 16, 24)).astype(np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(hu)).numpy()
        traced = torch.jit.load(str(path))(torch.from_numpy(hu)).numpy()
    np.testing.assert_allclose(engine(hu), expected, atol=1e-5)
    np.testing.assert_allclose(traced, expected, atol=1e-5)
    assert engine.card == card


def test_every_precision_of_a_gpu_can_be_asked_for_by_name():
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert [precision_on(gpu, name) for name in ("float32", "tf32", "float16", "bfloat16", "int8")] == [
        "float32",
        "tf32",
        "float16",
        "bfloat16",
        "float32",
    ]
    assert [precision_on(cpu, name) for name in ("float32", "tf32", "float16", "int8")] == ["float32"] * 4
    assert precision_on(cpu, "bfloat16") == ("bfloat16" if has_bfloat16() else "float32")


def test_bfloat16_reaches_every_convolution(monkeypatch, model_folder, scan):
    monkeypatch.setattr("ctseg.inference.torch_engine.has_bfloat16", lambda: True)
    engine = TorchEngine(model_folder / "model.ts", 2, "bfloat16", "cpu")
    kinds = []
    for module in engine.model.modules():
        if isinstance(module, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            module.register_forward_hook(lambda module, given, found: kinds.append(found.dtype))
    hu = scan[0].voxels_zyx[None, None].astype(np.float32)
    found, exact = engine(hu), load_engine(model_folder / "model.onnx", 2, "torch", "float32")(hu)
    assert set(kinds) == {torch.bfloat16}
    assert 0 < np.abs(found - exact).max() < 0.2
    assert np.count_nonzero((found >= 0.5) != (exact >= 0.5)) < 1e-3 * exact.size


def test_a_model_of_an_older_version_is_told_and_left_to_other_engines(tmp_path, trained):
    export_torchscript(trained, replace(CARD, network=None, scaling=None), tmp_path / "model.ts")
    with pytest.raises(InputError, match="older ctseg"):
        TorchEngine(tmp_path / "model.ts", 1)
    assert not describes_network(tmp_path / "model.ts")
    older = tmp_path / "older.ts"
    older.write_text("no archive")
    assert not describes_network(older)
    assert not describes_network(tmp_path / "none.ts")
