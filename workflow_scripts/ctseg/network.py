"""The networks, and the model around them that is exported: Hounsfield units in, probabilities out."""

import math
from dataclasses import dataclass

import torch
from monai.networks.nets import UNet
from torch import nn

PRIOR = 0.01  # share of foreground voxels that an untrained network predicts


@dataclass(frozen=True)
class NetworkSettings:
    """A U-Net: features per level (each level halves the resolution), residual units per level, norm, dropout."""

    channels: tuple[int, ...]
    residual_units: int
    norm: str
    dropout: float

    @property
    def size_multiple(self) -> int:
        """Patch sizes must be multiples of this: the factor between the finest and the coarsest level."""
        return 2 ** (len(self.channels) - 1)


def build_network(settings: NetworkSettings, n_classes: int) -> nn.Module:
    """MONAI's residual 3-D U-Net (Kerfoot et al., STACOM 2018) with one output channel, a logit, per class.

    Takes float32 [batch, 1, z, y, x], gives float32 logits [batch, class, z, y, x].
    """
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
    start_from_rarity(network)
    return network


def start_from_rarity(network: nn.Module) -> None:
    """Set the last bias so that an untrained network calls a hundredth of the voxels foreground, not half of them.

    Targets are rare. An optimiser whose steps are bounded by the learning rate would otherwise spend hundreds of steps
    on lowering that one number (Lin et al., ICCV 2017, section 4.1).
    """
    last = [module for module in network.modules() if isinstance(module, nn.Conv3d)][-1]
    assert last.bias is not None
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
