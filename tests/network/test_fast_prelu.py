"""The U-Net's activation computes what torch's does."""

import pytest
import torch
from torch import nn

from ctseg.network.architectures import build_network
from ctseg.network.fast_prelu import PReLU
from ctseg.network.settings import NetworkSettings


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_and_gradients_are_those_of_torch(slope, dtype):
    torch.manual_seed(0)
    values = torch.randn(2, 3, 4, 5, 6, dtype=dtype)
    values[0, 0, 0, 0, :3] = 0.0
    results = []
    for activation in (nn.PReLU(init=slope), PReLU(init=slope)):
        given = values.clone().requires_grad_()
        activation.to(dtype).train()
        found = activation(given)
        found.backward(torch.ones_like(found) * 0.5 + values)
        results.append((found, given.grad, activation.weight.grad))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_in_evaluation_it_is_torchs_own():
    activation, values = PReLU(), torch.randn(2, 1, 3, 3, 3)
    program = torch.export.export(activation.eval(), (values,))
    assert any("prelu" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(activation(values), nn.PReLU()(values))


def test_a_u_net_learns_with_it_and_its_weights_have_monais_names():
    settings = NetworkSettings((4, 8), 1, "batch", 0.0, ((2, 2, 2),), ((3, 3, 3),) * 2)
    network = build_network(settings, 1)
    slopes = [module for module in network.modules() if isinstance(module, PReLU)]
    assert slopes
    network.train()(torch.randn(1, 1, 8, 8, 8)).sum().backward()
    assert all(module.weight.grad.abs() > 0 for module in slopes)
    assert any(name.endswith("adn.A.weight") for name in network.state_dict())
