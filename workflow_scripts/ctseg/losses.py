"""What training minimises."""

import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional as F


class DiceBCELoss(nn.Module):
    """α · soft Dice loss + (1 − α) · binary cross-entropy, on logits and 0/1 masks [batch, class, z, y, x].

    Dice is taken over the whole batch (Kervadec's and nnU-Net's "batch Dice"): a patch without any target would give
    a loss that jumps between 0 and 1 with a single voxel.
    """

    def __init__(self, dice_weight: float) -> None:
        """`dice_weight` is α, from 0 (cross-entropy alone) to 1 (Dice alone)."""
        super().__init__()
        self.dice_weight = dice_weight
        self.dice = DiceLoss(sigmoid=True, batch=True)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss as a scalar."""
        cross_entropy = F.binary_cross_entropy_with_logits(logits, targets)
        return self.dice_weight * self.dice(logits, targets) + (1 - self.dice_weight) * cross_entropy
