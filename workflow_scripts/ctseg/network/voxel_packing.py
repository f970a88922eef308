"""The same network in a shape that processors compute faster: voxels packed into channels.

At the finest level MONAI's U-Net has as many channels as there are classes, often one. Processors compute eight or
sixteen channels at once, so that these few layers take over half of the time of the whole network with a hundredth of
its arithmetic. Here 2 × 2 × 2 voxels become 8 channels, and back at the end (the sub-pixel shuffle of Shi et al., CVPR
2016): a convolution of c channels becomes one of 8 c channels at half the resolution, with the same weights in other
places and zeros between them. A transposed convolution with stride 2 becomes a plain one, whose output is packed
already. The result is the same up to rounding.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet
from torch import nn
from torch.nn import functional as F

from ctseg.network.levels import Axes

# With OpenVINO on two AVX2 cores the network of 16 … 256 features becomes 3.0, 1.25, 1.05 and 0.85 times as fast with
# 1, 2, 3 and 4 classes: then the zeros cost more than the wider channels save.
MOST_CLASSES = 2


def pack_top_level(network: nn.Module, trained: bool = True) -> nn.Module:
    """The network with the layers after its last upsampling packed, where it is a U-Net to which that applies.

    The network is changed in place, and returned. One that is `trained` already has its norms taken as in evaluation,
    and other weights; one that is not keeps all weights and their names.
    """
    if isinstance(network, UNet) and isinstance(network.model, nn.Sequential) and len(network.model) == 3:
        up: Any = network.model[2]
        convolutions = _convolutions(up)
        if len(convolutions) == 2 and convolutions[0].out_channels <= MOST_CLASSES:
            network.model[2] = PackedTop(up) if trained else TrainablePackedTop(*up)
    return network


def _convolutions(layers: nn.Module) -> list[Any]:
    """All convolutions, plain and transposed, in their order."""
    return [layer for layer in layers.modules() if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d)]


class TrainablePackedTop(nn.Sequential):
    """The top of MONAI's U-Net as it is, but computed on packed voxels: the same gradients of the same weights."""

    def __init__(self, *layers: nn.Module) -> None:
        """Take over the layers."""
        super().__init__(*layers)
        transposed, unit = _convolutions(self)
        self.strides: Axes = tuple(transposed.stride)
        self.up_places = places_of(packed_transposed_weight, transposed.weight, self.strides)
        self.unit_places = places_of(packed_weight, unit.weight, self.strides)

    def forward(self, coarse: torch.Tensor) -> torch.Tensor:
        """From features [batch, channel, z, y, x] to logits [batch, class, z, y, x] of the finer level."""
        transposed, unit = _convolutions(self)
        copies = prod(self.strides)
        up_weight, unit_weight = (
            F.pad(layer.weight.flatten(), (1, 0))[places]
            for layer, places in ((transposed, self.up_places), (unit, self.unit_places))
        )
        packed = F.conv3d(coarse, up_weight, transposed.bias.repeat_interleave(copies), padding=1)
        # Along a halved axis the first row is that before the volume.
        packed = packed[:, :, *(slice(1 if stride == 2 else 0, None) for stride in self.strides)]
        batch, channels = packed.shape[:2]
        by_channel = packed.unflatten(1, (channels // copies, copies)).movedim(2, -1)
        norm_and_activation: Any = self[0].adn
        moved = norm_and_activation(by_channel.reshape(batch, channels // copies, -1, 1, 1))
        packed = moved.reshape(by_channel.shape).movedim(-1, 2).flatten(1, 2)
        found = F.conv3d(packed, unit_weight, unit.bias.repeat_interleave(copies), padding="same")
        return unpack(found + packed, self.strides)


def places_of(
    packing: Callable[[torch.Tensor, Axes], torch.Tensor], weight: torch.Tensor, strides: Axes
) -> torch.Tensor:
    """For each number of a packed weight, the place of the one that it is in the plain weight, from 1; 0 is a zero."""
    numbers = torch.arange(1, weight.numel() + 1, dtype=torch.float64).view(weight.shape)
    return packing(numbers, strides).long()


class PackedTop(nn.Module):
    """The top of MONAI's U-Net, a transposed convolution and a residual unit without a last norm, on packed voxels."""

    def __init__(self, up: Any) -> None:
        """Take over the weights of `up`."""
        super().__init__()
        transposed, unit = _convolutions(up)
        self.strides: Axes = tuple(transposed.stride)
        copies = prod(self.strides)
        # Along a halved axis an output voxel pair needs the input voxel at its place and the one after it.
        self.margins = [margin for stride in reversed(self.strides) for margin in ((0, 1) if stride == 2 else (1, 1))]
        self.up = _convolution(packed_transposed_weight(transposed.weight, self.strides), transposed.bias, copies)
        self.norm = _repeated_norm(up[0].adn.N, copies)
        self.activation = up[0].adn.A
        weight = packed_weight(unit.weight, self.strides)
        # In numbers: autocast passes over a traced convolution with the padding "same".
        z, y, x = (size // 2 for size in weight.shape[-3:])
        self.unit = _convolution(weight, unit.bias, copies, (z, y, x))

    def forward(self, coarse: torch.Tensor) -> torch.Tensor:
        """From features [batch, channel, z, y, x] to logits [batch, class, z, y, x] of the finer level."""
        packed = self.activation(self.norm(self.up(F.pad(coarse, self.margins))))
        return unpack(self.unit(packed) + packed, self.strides)


def pack(voxels: torch.Tensor, strides: Axes) -> torch.Tensor:
    """[batch, channel, z, y, x] to [batch, channel · place, z / stride, …]: voxels of a block become channels."""
    batch, channels, *size = voxels.shape
    blocks = [part for n, stride in zip(size, strides, strict=True) for part in (n // stride, stride)]
    split = voxels.reshape(batch, channels, *blocks).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return split.reshape(batch, channels * prod(strides), *blocks[::2])


def unpack(packed: torch.Tensor, strides: Axes) -> torch.Tensor:
    """The inverse of `pack`."""
    batch, channels, depth, height, width = packed.shape
    channels //= prod(strides)
    split = packed.reshape(batch, channels, *strides, depth, height, width).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return split.reshape(batch, channels, depth * strides[0], height * strides[1], width * strides[2])


def packed_weight(weight: torch.Tensor, strides: Axes) -> torch.Tensor:
    """The weight of a convolution with odd kernels and equal size, [out, in, z, y, x], for packed voxels."""
    out, into, *kernel = weight.shape
    reach = [0 if n == 1 else 1 for n in kernel]  # in blocks
    made = weight.new_zeros(out, *strides, into, *strides, *(2 * n + 1 for n in reach))
    for place in np.ndindex(*strides):
        for tap in np.ndindex(*kernel):
            source = [p + t - n // 2 for p, t, n in zip(place, tap, kernel, strict=True)]
            block = [s // stride + n for s, stride, n in zip(source, strides, reach, strict=True)]
            inside = [s % stride for s, stride in zip(source, strides, strict=True)]
            made[:, *place, :, *inside, *block] = weight[:, :, *tap]
    return made.reshape(out * prod(strides), into * prod(strides), *made.shape[-3:])


def packed_transposed_weight(weight: torch.Tensor, strides: Axes) -> torch.Tensor:
    """The weight of a plain convolution that gives a transposed one's output packed.

    `weight` is [in, out, 3, 3, 3], with padding 1 and, where the stride is 2, output padding 1. Output voxel o takes
    tap t of input voxel i where o = stride · i − 1 + t.
    """
    into, out, *kernel = weight.shape
    made = weight.new_zeros(out, *strides, into, *(2 if stride == 2 else 3 for stride in strides))
    for place in np.ndindex(*strides):
        for tap in np.ndindex(*kernel):
            source = [p + 1 - t for p, t in zip(place, tap, strict=True)]
            if any(s % stride for s, stride in zip(source, strides, strict=True)):
                continue
            # The plain kernel starts at the voxel itself along a halved axis, one before it along another.
            at = [s // stride if stride == 2 else s + 1 for s, stride in zip(source, strides, strict=True)]
            made[:, *place, :, *at] = weight[:, :, *tap].T
    return made.reshape(out * prod(strides), into, *made.shape[-3:])


def _convolution(weight: torch.Tensor, bias: torch.Tensor | None, copies: int, padding: int | Axes = 0) -> nn.Conv3d:
    """A convolution with these weights; each bias serves the `copies` places of its channel."""
    kernel = (weight.shape[2], weight.shape[3], weight.shape[4])
    made = nn.Conv3d(weight.shape[1], weight.shape[0], kernel, padding=padding, bias=bias is not None)
    made.weight = nn.Parameter(weight.detach())
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().repeat_interleave(copies))
    return made


def _repeated_norm(norm: nn.Module, copies: int) -> nn.Module:
    """The norm for packed channels: a batch norm's statistics are fixed, an instance norm's run over all places."""
    if isinstance(norm, nn.BatchNorm3d):
        made = nn.BatchNorm3d(norm.num_features * copies, norm.eps)
        made.load_state_dict(
            {
                name: value.repeat_interleave(copies) if value.ndim else value
                for name, value in norm.state_dict().items()
            }
        )
        return made.eval()
    return PackedInstanceNorm(norm, copies)


class PackedInstanceNorm(nn.Module):
    """A norm over the voxels of each channel, applied to packed voxels."""

    def __init__(self, norm: nn.Module, copies: int) -> None:
        """`norm` is that of the channels before packing."""
        super().__init__()
        self.norm = norm
        self.copies = copies

    def forward(self, packed: torch.Tensor) -> torch.Tensor:
        """Packed voxels in and out."""
        batch, channels, depth, height, width = packed.shape
        together = packed.reshape(batch, channels // self.copies, self.copies * depth, height, width)
        return self.norm(together).reshape(packed.shape)
