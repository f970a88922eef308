from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ctseg.network.architectures import build_network
from ctseg.network.settings import NetworkSettings
from ctseg.network.voxel_packing import (
    PackedTop,
    TrainablePackedTop,
    pack,
    pack_top_level,
    packed_transposed_weight,
    packed_weight,
    unpack,
)

STRIDES = [(2, 2, 2), (1, 2, 2), (2, 1, 2)]


def settings(strides, norm="batch", architecture="unet", units=1):
    levels = len(strides) + 1
    kernels = ((3, 3, 3),) * levels
    return NetworkSettings((4, 8, 8)[:levels], units, norm, 0.0, strides, kernels, architecture)


@pytest.mark.parametrize("strides", STRIDES)
def test_packing_and_unpacking_are_inverse(strides):
    voxels = torch.randn(2, 3, 4, 6, 8)
    packed = pack(voxels, strides)
    assert packed.shape == (2, 3 * np.prod(strides), *(n // s for n, s in zip((4, 6, 8), strides, strict=True)))
    torch.testing.assert_close(unpack(packed, strides), voxels)


@pytest.mark.parametrize("strides", STRIDES)
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (1, 1, 1)])
def test_a_convolution_commutes_with_packing(strides, kernel):
    voxels, weight = torch.randn(1, 2, 4, 6, 8), torch.randn(3, 2, *kernel)
    expected = F.conv3d(voxels, weight, padding="same")
    packed = F.conv3d(pack(voxels, strides), packed_weight(weight, strides), padding="same")
    torch.testing.assert_close(unpack(packed, strides), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("strides", STRIDES)
def test_a_transposed_convolution_becomes_a_plain_one(strides):
    coarse, weight = torch.randn(1, 2, 3, 4, 5), torch.randn(2, 3, 3, 3, 3)
    expected = F.conv_transpose3d(
        coarse, weight, stride=strides, padding=1, output_padding=tuple(stride - 1 for stride in strides)
    )
    margins = [margin for stride in reversed(strides) for margin in ((0, 1) if stride == 2 else (1, 1))]
    packed = F.conv3d(F.pad(coarse, margins), packed_transposed_weight(weight, strides))
    torch.testing.assert_close(unpack(packed, strides), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("strides", "norm", "units", "classes"),
    [*product(STRIDES, ["batch", "instance"], [1], [1, 2]), ((2, 2, 2), "batch", 2, 1)],
)
def test_a_trained_u_net_gives_the_same_logits(strides, norm, units, classes):
    torch.manual_seed(0)
    network = build_network(settings((strides, (2, 2, 2)), norm, units=units), classes)
    for _ in range(2):  # statistics and weights that are not those of the start
        network.train()(torch.randn(2, 1, 8, 8, 8) * 3 + 1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    image = torch.randn(2, 1, 8, 12, 16)
    with torch.inference_mode():
        expected = network.eval()(image)
        packed = pack_top_level(network)
        assert isinstance(packed.model[2], PackedTop)
        torch.testing.assert_close(packed.eval()(image), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("strides", "norm", "classes"), [*product(STRIDES, ["batch", "instance"], [1, 2])])
def test_a_u_net_in_training_has_the_same_gradients_of_the_same_weights(strides, norm, classes):
    torch.manual_seed(0)
    plain = build_network(settings((strides, (2, 2, 2)), norm), classes)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    packed = build_network(settings((strides, (2, 2, 2)), norm), classes)
    packed.load_state_dict(plain.state_dict())
    pack_top_level(packed, trained=False)
    assert isinstance(packed.model[2], TrainablePackedTop)
    image = torch.randn(2, 1, 8, 12, 16)
    for network in (plain, packed):
        network.train()(image.contiguous(memory_format=torch.channels_last_3d)).square().mean().backward()
    for (name, one), other in zip(plain.named_parameters(), packed.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, atol=1e-4, rtol=1e-3, msg=lambda text, n=name: f"{n}: {text}")
    for (name, one), (same, other) in zip(plain.state_dict().items(), packed.state_dict().items(), strict=True):
        assert name == same
        torch.testing.assert_close(other, one)
    torch.testing.assert_close(packed.eval()(image), plain.eval()(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("network", "classes"),
    [
        (settings(((2, 2, 2),) * 2), 3),
        (settings(((2, 2, 2),) * 2, units=0), 1),
        (settings(((2, 2, 2),) * 2, "instance", "dynunet"), 1),
    ],
)
def test_other_networks_stay_as_they_are(network, classes):
    built = build_network(network, classes)
    names = [type(module) for module in built.modules()]
    for trained in (True, False):
        assert [type(module) for module in pack_top_level(built, trained).modules()] == names
