"""Networks, and the exported model around them, from Hounsfield units to probabilities.

A new architecture needs a function in `ARCHITECTURES`, and its name in `network.kinds`, in the catalogue and in the
config's schema.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.nets import DynUNet, SegResNet, UNet
from torch import nn
from torch.nn import functional as F

from ctseg.geometry.hounsfield import Scaling
from ctseg.network.settings import NetworkSettings

PRIOR = 0.01  # foreground probability that an untrained network predicts
NORMS: dict[str, Any] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 4}),
}


@dataclass(frozen=True)
class Parts:
    """A network, its last layers (the finest level first), and the modules of its encoder."""

    network: nn.Module
    heads: list[nn.Module]
    encoder: list[nn.Module]


def build_parts(settings: NetworkSettings, n_classes: int) -> Parts:
    """Network with one output channel (a logit) per class, and its parts.

    The network takes float32 [batch, 1, z, y, x] and returns float32 logits [batch, class, z, y, x]. With deep
    supervision, in training mode only, it returns a list of logits, the finest level first, each on the grid of its
    level.
    """
    parts = ARCHITECTURES[settings.architecture](settings, n_classes)
    for head in parts.heads:
        _start_from_rarity(head)
    return parts


def build_network(settings: NetworkSettings, n_classes: int) -> nn.Module:
    """Only the network of `build_parts`."""
    return build_parts(settings, n_classes).network


def _unet(settings: NetworkSettings, n_classes: int) -> Parts:
    """MONAI's residual U-Net (Kerfoot et al., STACOM 2018)."""
    network = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=n_classes,
        channels=settings.channels,
        strides=settings.strides_zyx,  # type: ignore[arg-type]  # one number per level, or per axis
        num_res_units=settings.residual_units,
        norm=settings.norm,
        dropout=settings.dropout,
    )
    encoder: list[nn.Module] = []  # a level has an encoder part, the levels below, and a decoder part
    level: Any = network.model
    while isinstance(level, nn.Sequential) and len(level) == 3 and hasattr(level[1], "submodule"):
        encoder.append(level[0])
        level = level[1].submodule
    head = [module for module in network.modules() if isinstance(module, nn.Conv3d | nn.ConvTranspose3d)][-1]
    return Parts(network, [head], [*encoder, level])


class _Supervised(DynUNet):
    """MONAI's DynUNet with deep supervision of each coarser level on its own grid.

    MONAI interpolates the coarser levels to the finest grid. This takes a third of a step on a processor, and on a GPU
    its gradient is not reproducible to the bit.
    """

    def forward(self, x: torch.Tensor) -> Any:
        """Logits; in training with deep supervision a list of logits, the finest level first."""
        finest = self.output_block(self.skip_layers(x))
        coarser = list(self.heads)
        # A kept output would keep the gradients' graph of this step, which prevents that the next one is recorded.
        self.heads[:] = [None] * len(coarser)  # type: ignore[list-item]
        return [finest, *coarser] if self.training and self.deep_supervision else finest


class InstanceNorm(nn.InstanceNorm3d):
    """Instance norm with the values and weights of torch's, by a batch norm of each patch in channels-last memory.

    torch's instance norm copies to channels-first and back: with it a step of a dynunet with norm instance takes 1.4
    times as long on a processor (16 features, 2 × 48×96×96), and on a GPU 1.7 times as long as with norm batch. An
    exported graph contains torch's operation, which engines support.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each channel of each patch to mean 0 and variance 1, then apply weight and bias."""
        if torch.jit.is_tracing() or torch.compiler.is_exporting():
            return super().forward(x)
        patches = [F.batch_norm(one, None, None, self.weight, self.bias, True, 0.0, self.eps) for one in x.split(1)]
        return torch.cat(patches)


def _use_fast_norms(network: nn.Module) -> None:
    """Replace torch's instance norms in a network by `InstanceNorm` with the same weights."""
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.InstanceNorm3d):
                fast = InstanceNorm(norm.num_features, norm.eps, affine=norm.affine)
                fast.load_state_dict(norm.state_dict())
                setattr(parent, name, fast)


def _dynunet(settings: NetworkSettings, n_classes: int) -> Parts:
    """The U-Net of nnU-Net (Isensee et al., Nature Methods 2021), with residual blocks if `residual_units` > 0."""
    network = _Supervised(
        spatial_dims=3,
        in_channels=1,
        out_channels=n_classes,
        kernel_size=settings.kernels_zyx,
        strides=[settings.stem_zyx, *settings.strides_zyx],
        upsample_kernel_size=settings.strides_zyx,
        filters=settings.channels,
        dropout=settings.dropout or None,
        norm_name=NORMS[settings.norm],
        res_block=settings.residual_units > 0,
        deep_supervision=settings.deep_supervision,
        deep_supr_num=max(1, min(2, len(settings.channels) - 2)),
    )
    head: nn.Module = network.output_block.conv.conv
    if max(settings.stem_zyx) > 1:
        # Each voxel of the first level predicts all voxels that it covers.
        head = nn.ConvTranspose3d(settings.channels[0], n_classes, settings.stem_zyx, settings.stem_zyx)
        network.output_block = head
    _use_fast_norms(network)
    coarser = [level.conv.conv for level in network.deep_supervision_heads] if settings.deep_supervision else []
    return Parts(
        network,
        [head, *coarser],
        [network.input_block, network.downsamples, network.bottleneck],
    )


def _segresnet(settings: NetworkSettings, n_classes: int) -> Parts:
    """The residual encoder and decoder of Myronenko (BrainLes 2018); features double from level to level."""
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
    return Parts(network, [network.conv_final[-1].conv], [network.convInit, network.down_layers])


ARCHITECTURES: dict[str, Callable[[NetworkSettings, int], Parts]] = {
    "unet": _unet,
    "dynunet": _dynunet,
    "segresnet": _segresnet,
}


def _start_from_rarity(last: nn.Module) -> None:
    """Set the bias of a last layer so that an untrained network predicts a probability of about `PRIOR`, not 0.5.

    Targets are rare. Otherwise an optimiser with steps bounded by the learning rate spends hundreds of steps on
    lowering this bias (Lin et al., ICCV 2017, section 4.1).
    """
    assert isinstance(last.bias, torch.Tensor)
    nn.init.constant_(last.bias, math.log(PRIOR / (1 - PRIOR)))


class SegmentationModel(nn.Module):
    """One network or an ensemble, from HU to the mean of the probabilities of its members.

    Clipping, scaling and activation are part of the model, so its file needs no additional code. It takes float32 HU
    [batch, 1, z, y, x] and returns float32 probabilities [batch, class, z, y, x]; without `exclusive` a voxel may
    belong to several classes.
    """

    def __init__(self, networks: list[nn.Module], scaling: Scaling, exclusive: bool = False) -> None:
        """Wrap `networks`, which all have the same inputs and outputs."""
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.scaling = scaling
        self.exclusive = exclusive

    def forward(self, hu: torch.Tensor) -> torch.Tensor:
        """Probabilities of each class for each voxel."""
        image = normalise(hu, self.scaling)
        members = [probabilities(network(image), self.exclusive) for network in self.networks]
        return torch.stack(members).mean(dim=0) if len(members) > 1 else members[0]


def normalise(hu: torch.Tensor, scaling: Scaling) -> torch.Tensor:
    """Input of the network: HU clipped to the window, minus the centre, divided by the spread."""
    return (hu.clamp(scaling.low_hu, scaling.high_hu) - scaling.centre_hu) * (1.0 / scaling.spread_hu)


def with_background(logits: torch.Tensor) -> torch.Tensor:
    """Logits [batch, 1 + class, z, y, x], the background first with logit 0: softmax depends only on differences."""
    return F.pad(logits, (0, 0, 0, 0, 0, 0, 1, 0))


def probabilities(logits: torch.Tensor, exclusive: bool) -> torch.Tensor:
    """Probabilities of the classes without the background, from logits, both [batch, class, z, y, x]."""
    return torch.softmax(with_background(logits), dim=1)[:, 1:] if exclusive else torch.sigmoid(logits)
