"""The networks, and the model around them that is exported: Hounsfield units in, probabilities out.

Another architecture is one more function in `ARCHITECTURES`, with its name in `network.kinds`, in the catalogue and in
the config's schema.
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

PRIOR = 0.01  # share of foreground voxels that an untrained network predicts
NORMS: dict[str, Any] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 4}),
}


@dataclass(frozen=True)
class Parts:
    """A network, its last layers (the finest first), and the half of it that goes from fine to coarse."""

    network: nn.Module
    heads: list[nn.Module]
    encoder: list[nn.Module]


def build_parts(settings: NetworkSettings, n_classes: int) -> Parts:
    """A network with one output channel, a logit, per class.

    Takes float32 [batch, 1, z, y, x], gives float32 logits [batch, class, z, y, x]; with deep supervision, and in
    training alone, a list of them, the finest level first, each on its own level's grid.
    """
    parts = ARCHITECTURES[settings.architecture](settings, n_classes)
    for head in parts.heads:
        _start_from_rarity(head)
    return parts


def build_network(settings: NetworkSettings, n_classes: int) -> nn.Module:
    """The network of `build_parts` alone."""
    return build_parts(settings, n_classes).network


def _unet(settings: NetworkSettings, n_classes: int) -> Parts:
    """MONAI's residual U-Net (Kerfoot et al., STACOM 2018)."""
    network = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=n_classes,
        channels=settings.channels,
        strides=settings.strides_zyx,  # type: ignore[arg-type]  # one number a level, or one an axis
        num_res_units=settings.residual_units,
        norm=settings.norm,
        dropout=settings.dropout,
    )
    encoder: list[nn.Module] = []  # each level is the way down, the levels below, and the way up
    level: Any = network.model
    while isinstance(level, nn.Sequential) and len(level) == 3 and hasattr(level[1], "submodule"):
        encoder.append(level[0])
        level = level[1].submodule
    head = [module for module in network.modules() if isinstance(module, nn.Conv3d | nn.ConvTranspose3d)][-1]
    return Parts(network, [head], [*encoder, level])


class _Supervised(DynUNet):
    """MONAI's DynUNet, whose coarser levels are supervised on their own grids.

    MONAI interpolates them to the finest one, which costs a third of a step on a processor, and on a GPU has no
    gradient that repeats to the bit.
    """

    def forward(self, x: torch.Tensor) -> Any:
        """Logits; in training a list, the finest level first."""
        finest = self.output_block(self.skip_layers(x))
        return [finest, *self.heads] if self.training and self.deep_supervision else finest


class InstanceNorm(nn.InstanceNorm3d):
    """The same values and weights, by the batch norm of each patch alone, which keeps channels-last memory.

    torch's own copies to channels-first and back: a step of a dynunet with norm instance takes 1.4 times as long on a
    processor (16 features, 2 × 48×96×96), and on a GPU 1.7 times as long as with norm batch. An exported graph holds
    the plain operation, which engines know.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each channel of each patch with mean 0 and variance 1, times weight, plus bias."""
        if torch.jit.is_tracing() or torch.compiler.is_exporting():
            return super().forward(x)
        patches = [F.batch_norm(one, None, None, self.weight, self.bias, True, 0.0, self.eps) for one in x.split(1)]
        return torch.cat(patches)


def _use_fast_norms(network: nn.Module) -> None:
    """Replace torch's instance norms; the weights stay."""
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.InstanceNorm3d):
                fast = InstanceNorm(norm.num_features, norm.eps, affine=norm.affine)
                fast.load_state_dict(norm.state_dict())
                setattr(parent, name, fast)


def _dynunet(settings: NetworkSettings, n_classes: int) -> Parts:
    """The U-Net of nnU-Net (Isensee et al., Nature Methods 2021), with residual blocks if units are asked for."""
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
        # Each voxel of the first level tells of all voxels that it covers.
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
    return Parts(network, [network.conv_final[-1].conv], [network.convInit, network.down_layers])


ARCHITECTURES: dict[str, Callable[[NetworkSettings, int], Parts]] = {
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
    """One network, or an ensemble: clipped and scaled HU go in, the mean of the probabilities comes out.

    Normalisation and activation are part of the model, so that its file needs no code beside it. Takes float32 HU
    [batch, 1, z, y, x], gives float32 probabilities [batch, class, z, y, x]; without `exclusive` a voxel may belong to
    several classes.
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
    """Clip HU to the window, and scale them to what the network sees."""
    return (hu.clamp(scaling.low_hu, scaling.high_hu) - scaling.centre_hu) * (1.0 / scaling.spread_hu)


def with_background(logits: torch.Tensor) -> torch.Tensor:
    """Logits [batch, class, z, y, x] with the background's before them: 0, since a softmax knows differences only."""
    return F.pad(logits, (0, 0, 0, 0, 0, 0, 1, 0))


def probabilities(logits: torch.Tensor, exclusive: bool) -> torch.Tensor:
    """Probabilities of the classes, without the background's, both [batch, class, z, y, x]."""
    return torch.softmax(with_background(logits), dim=1)[:, 1:] if exclusive else torch.sigmoid(logits)
