"""Optimisers, their learning rate, and the moving average of the weights."""

import copy
import math
from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import nn

from ctseg.training.settings import TrainSettings


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine or nnU-Net's power of 0.9 down to 1 % of the peak."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    left = (
        0.5 * (1 + math.cos(math.pi * min(1.0, done))) if settings.schedule == "cosine" else max(0.0, 1 - done) ** 0.9
    )
    return settings.learning_rate * (0.01 + 0.99 * left)


def build_optimiser(parameters: Iterable[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    """Optimiser `settings.optimiser`, a key of `OPTIMISERS`."""
    return OPTIMISERS[settings.optimiser](parameters, settings)


def _adamw(parameters: Iterable[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019)."""
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def _sgd(parameters: Iterable[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    """Stochastic gradient descent with Nesterov's momentum, as in nnU-Net."""
    return torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=0.99,
        nesterov=True,
        fused=True,
    )


OPTIMISERS: dict[str, Callable[[Iterable[nn.Parameter], TrainSettings], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
}


class MovingAverage(nn.Module):
    """Exponential moving average of the weights and statistics of a network, stored in the network `module`.

    The class of torch is not used: it copies its counter to the device at each step, and so waits for a GPU twice.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from the weights of `network`; with a decay of 0 the average always equals the last weights."""
        super().__init__()
        self.module = copy.deepcopy(network)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, first: bool) -> None:
        """Add the weights after a step to the average; after the `first` step they are copied."""
        own, new = (list(chain(part.parameters(), part.buffers())) for part in (self.module, network))
        pairs = list(zip(own, new, strict=True))
        smooth = [] if first else [pair for pair in pairs if pair[0].is_floating_point()]
        taken = pairs if first else [pair for pair in pairs if not pair[0].is_floating_point()]
        if smooth:
            averages, values = (list(side) for side in zip(*smooth, strict=True))
            torch._foreach_lerp_(averages, values, 1 - self.decay)
        if taken:
            averages, values = (list(side) for side in zip(*taken, strict=True))
            torch._foreach_copy_(averages, values)
