"""How weights are moved: the optimiser and its learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from ctseg.training_settings import TrainSettings


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then down to a hundredth of the peak: half a cosine, or nnU-Net's power of 0.9."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    left = (
        0.5 * (1 + math.cos(math.pi * min(1.0, done))) if settings.schedule == "cosine" else max(0.0, 1 - done) ** 0.9
    )
    return settings.learning_rate * (0.01 + 0.99 * left)


def build_optimiser(parameters: Iterable[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019), or nnU-Net's stochastic gradient descent with Nesterov's momentum."""
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=0.99,
        nesterov=True,
        fused=True,
    )
