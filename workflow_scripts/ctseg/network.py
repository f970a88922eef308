"""The networks, and the model around them that is exported: Hounsfield units in, probabilities out.

Another architecture is one more function in `ARCHITECTURES`, with its name in the config's schema.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.nets import DynUNet, SegResNet, UNet
from torch import nn

PRIOR = 0.01  # share of foreground voxels that an untrained network predicts
NORMS: dict[str, Any] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 4}),
}


@dataclass(frozen=True)
class NetworkSettings:
    """A network: features per level (each level halves the resolution), residual units per level, norm, dropout.

    With `deep_supervision` the coarser levels are trained to segment, too; "dynunet" alone can do that.
    """

    channels: tuple[int, ...]
    residual_units: int
    norm: str
    dropout: float
    architecture: str = "unet"
    deep_supervision: bool = False

    @property
    def size_multiple(self) -> int:
        """Patch sizes must be multiples of this: the factor between the finest and the coarsest level."""
        return 2 ** (len(self.channels) - 1)


def build_network(settings: NetworkSettings, n_classes: int) -> nn.Module:
    """A network with one output channel, a logit, per class.

    Takes float32 [batch, 1, z, y, x], gives float32 logits [batch, class, z, y, x]; with deep supervision, and in
    training alone, [batch, level, class, z, y, x], the finest level first.
    """
    network, last = ARCHITECTURES[settings.architecture](settings, n_classes)
    for layer in last:
        _start_from_rarity(layer)
    return network


def _unet(settings: NetworkSettings, n_classes: int) -> tuple[nn.Module, list[nn.Module]]:
    """MONAI's residual U-Net (Kerfoot et al., STACOM 2018)."""
    network = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=n_classes,
        channels=settings.channels,
        strides=(2,) * (len(settings.channels) - 1),
        num_res_units=settings.residual_units,
        norm=settings.norm,
        dropout=settings.dropout,
    )
    return network, [[module for module in network.modules() if isinstance(module, nn.Conv3d)][-1]]


def _dynunet(settings: NetworkSettings, n_classes: int) -> tuple[nn.Module, list[nn.Module]]:
    """The U-Net of nnU-Net (Isensee et al., Nature Methods 2021), with residual blocks if units are asked for."""
    levels = len(settings.channels)
    strides = [1] + [2] * (levels - 1)
    network = DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=n_classes,
        kernel_size=[3] * levels,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=settings.channels,
        dropout=settings.dropout or None,
        norm_name=NORMS[settings.norm],
        res_block=settings.residual_units > 0,
        deep_supervision=settings.deep_supervision,
        deep_supr_num=max(1, min(2, levels - 2)),
    )
    heads = [head.conv.conv for head in network.deep_supervision_heads] if settings.deep_supervision else []
    return network, [network.output_block.conv.conv, *heads]


def _segresnet(settings: NetworkSettings, n_classes: int) -> tuple[nn.Module, list[nn.Module]]:
    """The residual encoder and decoder of Myronenko (BrainLes 2018); features double from the finest level's on."""
    units = max(1, settings.residual_units)
    network = SegResNet(
        spatial_dims=3,
        init_filters=settings.channels[0],
        in_channels=1,
        out_channels=n_classes,
        dropout_prob=settings.dropout or None,
        norm=NORMS[settings.norm],
        blocks_down=(units,) * len(settings.channels),
        blocks_up=(units,) * (len(settings.channels) - 1),
    )
    return network, [network.conv_final[-1].conv]


ARCHITECTURES: dict[str, Callable[[NetworkSettings, int], tuple[nn.Module, list[nn.Module]]]] = {
    "unet": _unet,
    "dynunet": _dynunet,
    "segresnet": _segresnet,
}


def _start_from_rarity(last: nn.Module) -> None:
    """Set a last bias so that an untrained network calls a hundredth of the voxels foreground, not half of them.

    Targets are rare. An optimiser whose steps are bounded by the learning rate would otherwise spend hundreds of steps
    on lowering that one number (Lin et al., ICCV 2017, section 4.1).
    """
    assert isinstance(last.bias, torch.Tensor)
    nn.init.constant_(last.bias, math.log(PRIOR / (1 - PRIOR)))


class SegmentationModel(nn.Module):
    """One network, or an ensemble of folds: clipped and scaled HU go in, the mean of the probabilities comes out.

    Normalisation and sigmoid are part of the model, so that its file needs no code beside it. Takes float32 HU
    [batch, 1, z, y, x], gives float32 probabilities [batch, class, z, y, x]; classes do not exclude each other.
    """

    def __init__(self, networks: list[nn.Module], window_hu: tuple[float, float]) -> None:
        """Wrap `networks`, which all have the same inputs and outputs."""
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.low_hu, self.high_hu = window_hu

    def forward(self, hu: torch.Tensor) -> torch.Tensor:
        """Probabilities of each class for each voxel."""
        image = normalise(hu, self.low_hu, self.high_hu)
        probabilities = [torch.sigmoid(network(image)) for network in self.networks]
        return torch.stack(probabilities).mean(dim=0) if len(probabilities) > 1 else probabilities[0]


def normalise(hu: torch.Tensor, low_hu: float, high_hu: float) -> torch.Tensor:
    """Map the HU window to −1…1; what lies outside is clipped."""
    return (hu.clamp(low_hu, high_hu) - low_hu) * (2.0 / (high_hu - low_hu)) - 1.0
