"""Networks of all architectures have the same inputs and outputs and can be exported."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.utils._pytree import tree_leaves

from cards import CARD, SCALING
from ctseg.export.model_files import export_onnx, export_torchscript
from ctseg.export.parity import compare, require_parity
from ctseg.network.architectures import (
    ARCHITECTURES,
    PRIOR,
    InstanceNorm,
    SegmentationModel,
    build_network,
    build_parts,
    probabilities,
)
from networks import SETTINGS


def test_every_architecture_is_tested():
    assert {settings.architecture for settings in SETTINGS.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize("name, n_classes", list(product(SETTINGS, [1, 3])))
def test_a_network_keeps_size_and_expects_little(name, n_classes):
    torch.manual_seed(0)
    network = build_network(SETTINGS[name], n_classes).eval()
    logits = network(torch.randn(2, 1, 16, 24, 8))
    assert logits.shape == (2, n_classes, 16, 24, 8)
    assert torch.sigmoid(logits).median().item() == pytest.approx(PRIOR, abs=0.03)


@pytest.mark.parametrize("name, second", [("dynunet", 8), ("coarse dynunet", 4)])
def test_coarser_levels_segment_in_training_alone(name, second):
    network = build_network(SETTINGS[name], 2)
    levels = network.train()(torch.randn(2, 1, 16, 16, 16))
    assert [level.shape for level in levels] == [(2, 2, 16, 16, 16), (2, 2, second, second, second)]
    assert network.eval()(torch.randn(2, 1, 16, 16, 16)).shape == (2, 2, 16, 16, 16)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("training", [True, False])
def test_a_network_keeps_no_output_of_a_step(name, training):
    """With a kept output, a GPU cannot record the next step as a CUDA graph."""
    network = build_network(SETTINGS[name], 2).train(training)
    network(torch.randn(2, 1, 16, 16, 16))
    kept = [value for module in network.modules() for value in tree_leaves(dict(vars(module)))]
    assert not [value for value in kept if isinstance(value, torch.Tensor) and value.grad_fn]


@pytest.mark.parametrize("n_patches, affine", [(1, True), (3, True), (2, False)])
def test_the_fast_instance_norm_is_torchs(n_patches, affine):
    torch.manual_seed(0)
    fast, plain = InstanceNorm(4, affine=affine), torch.nn.InstanceNorm3d(4, affine=affine)
    if affine:
        torch.nn.init.normal_(fast.weight)
        torch.nn.init.normal_(fast.bias)
        plain.load_state_dict(fast.state_dict())
    patches = torch.randn(n_patches, 4, 6, 5, 4).to(memory_format=torch.channels_last_3d)
    answers = []
    for norm in (fast, plain):
        seen = patches.clone().requires_grad_()
        found = norm(seen)
        (found * patches.roll(1)).sum().backward()
        answers.append([found, seen.grad, *(parameter.grad for parameter in norm.parameters())])
    for ours, torchs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fast.eval()(patches), fast.train()(patches))


def test_a_dynunet_has_fast_norms_alone():
    norms = [module for module in build_network(SETTINGS["dynunet"], 1).modules() if "Norm" in type(module).__name__]
    assert norms
    assert {type(norm) for norm in norms} == {InstanceNorm}


@pytest.mark.parametrize("name", ["dynunet", "coarse dynunet", "segresnet"])
def test_every_architecture_is_exported(name, tmp_path):
    torch.manual_seed(0)
    network = build_network(SETTINGS[name], n_classes=2).eval()
    model = SegmentationModel([network], SCALING).eval()
    settings = SETTINGS[name]
    sizes = {"patch_zyx": (8, 16, 8), "multiple_zyx": settings.multiple_zyx}
    card = replace(CARD, network=settings, n_networks=1, **sizes)
    export_onnx(model, card, tmp_path / "model.onnx")
    export_torchscript(model, card, tmp_path / "model.ts")
    _, rows = compare(model, tmp_path / "model.onnx", SETTINGS[name].multiple_zyx, seed=0)
    require_parity(rows, {"float32": 1e-4}, "float32")


@pytest.mark.parametrize("name", ["unet", "dynunet"])
def test_an_axis_that_is_not_halved_keeps_its_size_on_the_way_down(name):
    flat = replace(SETTINGS[name], strides_zyx=((1, 2, 2), (2, 2, 2)))
    if name == "dynunet":
        flat = replace(flat, kernels_zyx=((1, 3, 3), (3, 3, 3), (3, 3, 3)))
    assert flat.multiple_zyx == (2, 4, 4)
    assert build_network(flat, 1).eval()(torch.zeros(1, 1, 2, 8, 8)).shape == (1, 1, 2, 8, 8)


@pytest.mark.parametrize("units", [0, 2])
def test_the_last_layer_of_a_unet_is_found_whatever_its_units(units):
    torch.manual_seed(0)
    parts = build_parts(replace(SETTINGS["unet"], residual_units=units), 2)
    assert [tuple(head.bias.shape) for head in parts.heads] == [(2,)]
    assert torch.sigmoid(parts.network.eval()(torch.zeros(1, 1, 8, 8, 8))).median().item() < 0.1


@pytest.mark.parametrize("name", SETTINGS)
def test_the_encoder_is_the_half_that_sees_the_image_first(name):
    parts = build_parts(SETTINGS[name], 1)
    encoder = {id(parameter) for module in parts.encoder for parameter in module.parameters()}
    assert encoder
    # The encoder has the first weights of the network and none of the heads.
    assert id(next(parts.network.parameters())) in encoder
    assert not encoder & {id(parameter) for head in parts.heads for parameter in head.parameters()}
    assert len(encoder) < len(list(parts.network.parameters()))


def test_exclusive_classes_share_a_softmax_with_the_background():
    logits = torch.randn(2, 3, 2, 2, 2)
    with_zero = torch.cat([torch.zeros(2, 1, 2, 2, 2), logits], dim=1)
    torch.testing.assert_close(probabilities(logits, exclusive=True), torch.softmax(with_zero, dim=1)[:, 1:])
    torch.testing.assert_close(probabilities(logits[:, :1], exclusive=True), torch.sigmoid(logits[:, :1]))
