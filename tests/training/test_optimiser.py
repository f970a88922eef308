"""Learning rate, optimisers, and moving average of the weights."""

from dataclasses import replace

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ctseg.training.optimiser import MovingAverage, build_optimiser, learning_rate_at
from training_data import SETTINGS


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate_at(step, SETTINGS) for step in range(SETTINGS.steps)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.01)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate_at(SETTINGS.steps, SETTINGS) == pytest.approx(0.0001)


def test_the_moving_average_is_that_of_torch():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 3, 3), torch.nn.BatchNorm3d(3))
    average = MovingAverage(network, 0.9)
    expected = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for step in range(4):
        network(torch.randn(2, 1, 6, 6, 6))
        with torch.no_grad():
            network[0].weight += torch.randn_like(network[0].weight)
        average.update(network, first=step == 0)
        expected.update_parameters(network)
    found = average.module.state_dict()
    for name, one in expected.module.state_dict().items():
        if one.is_floating_point():
            torch.testing.assert_close(found[name], one, msg=name)
    assert average.module[1].num_batches_tracked == 4


def test_the_poly_schedule_falls_by_its_power():
    settings = replace(SETTINGS, schedule="poly", warmup_steps=0, steps=100)
    assert learning_rate_at(50, settings) == pytest.approx(settings.learning_rate * (0.01 + 0.99 * 0.5**0.9))
    assert learning_rate_at(200, settings) == pytest.approx(0.01 * settings.learning_rate)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_the_optimiser_is_the_one_that_is_asked_for(name, kind):
    network = torch.nn.Linear(3, 1)
    found = build_optimiser(network.parameters(), replace(SETTINGS, optimiser=name))
    assert type(found) is kind
    (group,) = found.param_groups
    assert (group["lr"], group["weight_decay"]) == (SETTINGS.learning_rate, SETTINGS.weight_decay)
    assert (name == "sgd") == group.get("nesterov", False)


def test_without_decay_the_average_is_the_last_weights():
    network = torch.nn.Linear(3, 1)
    average = MovingAverage(network, 0.0)
    for first in (True, False):
        with torch.no_grad():
            network.weight += 1
        average.update(network, first)
        torch.testing.assert_close(average.module.weight, network.weight)
    assert average.module.weight is not network.weight
