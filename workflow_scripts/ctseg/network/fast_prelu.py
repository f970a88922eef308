"""The activation of MONAI's U-Net, with a faster gradient on the CPU."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class PReLU(nn.PReLU):
    """torch's PReLU with one slope, whose gradient takes a third of the time.

    torch computes it value by value, 12 ms for 3.5 million of them on two cores; the same in passes that processors
    have vector instructions for takes 4 ms. It was 14 % of a training step.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values above 0 as they are, those below times the slope."""
        if self.training and values.device.type == "cpu":
            return _VectorisedPReLU.apply(values, self.weight)
        return super().forward(values)


class _VectorisedPReLU(torch.autograd.Function):
    """The function, and its gradients with respect to the values and the slope."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """A leaky ReLU whose slope is a weight; a tensor of one number."""
        ctx.save_for_backward(values, slope)
        return F.leaky_relu(values, slope.item())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradient of the values; the slope's is the sum over all values below 0."""
        values, slope = ctx.saved_tensors
        # A skip connection's gradient is half of another tensor's channels; the passes below are faster on a copy.
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        of_values = torch.ops.aten.leaky_relu_backward(gradient, values, slope.item(), False)
        of_slope = (gradient * values.clamp(max=0)).sum()
        return of_values, of_slope.reshape(slope.shape).to(slope.dtype)
