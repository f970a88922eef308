"""What training minimises: α times a loss over regions plus 1 − α times a loss over voxels.

All take logits and 0/1 masks [batch, class, z, y, x]. Regions are taken over the whole batch (nnU-Net's "batch Dice"):
a patch without any target would give a loss that jumps between 0 and 1 with a single voxel.
"""

from collections.abc import Callable

import torch
from monai.losses import DiceLoss, TverskyLoss
from torch import nn
from torch.nn import functional as F

Term = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

FOCUS = 2.0  # exponent of the focal loss; Lin et al., ICCV 2017
MISSED, FALSE = 0.7, 0.3  # weights of missed and of false voxels in the Tversky loss; Salehi et al., MLMI 2017


def focal_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy that counts the less what the network is already sure of (Lin et al., ICCV 2017)."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    surprise = 1 - torch.exp(-cross_entropy)
    return (surprise**FOCUS * cross_entropy).mean()


def _dice() -> nn.Module:
    return DiceLoss(sigmoid=True, batch=True)


def _tversky() -> nn.Module:
    return TverskyLoss(sigmoid=True, batch=True, alpha=FALSE, beta=MISSED)


LOSSES: dict[str, tuple[Callable[[], nn.Module], Term]] = {
    "dice_bce": (_dice, F.binary_cross_entropy_with_logits),
    "dice_focal": (_dice, focal_cross_entropy),
    "tversky_bce": (_tversky, F.binary_cross_entropy_with_logits),
}


class SegmentationLoss(nn.Module):
    """One of `LOSSES`, on the outputs of one or of several levels of a network."""

    def __init__(self, name: str, dice_weight: float) -> None:
        """`dice_weight` is α, from 0 (the loss over voxels alone) to 1 (the loss over regions alone)."""
        super().__init__()
        region, self.voxels = LOSSES[name]
        self.region = region()
        self.dice_weight = dice_weight

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss as a scalar.

        With deep supervision `logits` are [batch, level, class, z, y, x]; each level counts half of the finer one.
        """
        if logits.ndim == targets.ndim:
            return self._of_one(logits, targets)
        weights = [0.5**level for level in range(logits.shape[1])]
        losses = [weight * self._of_one(logits[:, level], targets) for level, weight in enumerate(weights)]
        return torch.stack(losses).sum() / sum(weights)

    def _of_one(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        regions = self.region(logits, targets)
        return self.dice_weight * regions + (1 - self.dice_weight) * self.voxels(logits, targets)
