"""Training losses: α times a region loss (Dice or Tversky) plus 1 − α times a voxel loss (cross-entropy or focal).

All take logits and 0/1 masks [batch, class, z, y, x]. The region loss is not taken from a library, since a region may
be spread over the batches of several processes: then the sums over the voxels have to be added, not the losses.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F

from ctseg.network.architectures import probabilities, with_background

SMOOTH = 1e-5  # in numerator and denominator, so that the loss of an empty region is 0 if nothing is found
FOCUS = 2.0  # exponent of the focal loss; Lin et al., ICCV 2017
SPACE = (2, 3, 4)  # axes z, y, x


@dataclass(frozen=True)
class LossSettings:
    """Name of a loss in `LOSSES`, and its weights.

    `dice_weight` is α, from 0 (voxel loss only) to 1 (region loss only). With `batch_dice` the region loss is that of
    the whole batch, as in nnU-Net: for a single patch without target it jumps between 0 and 1 with one voxel.
    `class_weights` has one number per class, or is empty for equal weights. `exclusive` is as in the network settings.
    """

    name: str
    dice_weight: float
    batch_dice: bool
    class_weights: tuple[float, ...]
    exclusive: bool


@dataclass(frozen=True)
class Terms:
    """Weights of missed and of false voxels in the region loss, and whether the voxel loss is focal."""

    missed: float
    false: float
    focal: bool


LOSSES = {
    "dice_bce": Terms(0.5, 0.5, focal=False),
    "dice_focal": Terms(0.5, 0.5, focal=True),
    "tversky_bce": Terms(0.7, 0.3, focal=False),  # Salehi et al., MLMI 2017
}


class SegmentationLoss(nn.Module):
    """Loss of the output of a network, or of its outputs at several levels."""

    def __init__(self, settings: LossSettings) -> None:
        """Raises KeyError for an unknown name of a loss."""
        super().__init__()
        self.settings = settings
        self.terms = LOSSES[settings.name]
        self._weights: torch.Tensor | None = None

    def _weights_for(self, targets: torch.Tensor) -> torch.Tensor:
        """Weight of each class, float [class], on the device of the targets; copied only once."""
        if self._weights is None or self._weights.device != targets.device:
            self._weights = targets.new_tensor(self.settings.class_weights or [1.0] * targets.shape[1])
        return self._weights

    def forward(self, logits: torch.Tensor | list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        """Scalar loss, float32.

        With deep supervision `logits` is a list, the finest level first. Each level has half the weight of the next
        finer one, and its targets are the share of each class in each of its voxels.
        """
        if isinstance(logits, torch.Tensor):
            return self._of_one(logits, targets)
        weights = [0.5**level for level in range(len(logits))]
        losses = [
            weight * self._of_one(level, on_grid_of(level, targets))
            for weight, level in zip(weights, logits, strict=True)
        ]
        return torch.stack(losses).sum() / sum(weights)

    def _of_one(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        settings = self.settings
        weights = self._weights_for(targets)
        over_voxels = _exclusive_entropy if settings.exclusive else _binary_entropy
        # Weights without effect are left out. Softmax also has the background with weight 1, so only 1 has none there.
        like_one = {1.0} if settings.exclusive else set(settings.class_weights[:1])
        differing = weights if set(settings.class_weights) - like_one else None
        loss = (1 - settings.dice_weight) * over_voxels(logits, targets, differing, self.terms.focal)
        if settings.dice_weight:
            found = probabilities(logits, settings.exclusive)
            regions = region_loss(found, targets, self.terms.missed, self.terms.false, settings.batch_dice)
            loss = loss + settings.dice_weight * (regions * weights).sum() / weights.sum()
        return loss


def on_grid_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Masks [batch, class, z, y, x] averaged to the grid of the logits: the share of each class in each voxel."""
    factors = [whole // part for whole, part in zip(targets.shape[2:], logits.shape[2:], strict=True)]
    return F.avg_pool3d(targets, factors) if max(factors) > 1 else targets


def region_loss(
    found: torch.Tensor, targets: torch.Tensor, missed: float, false: float, batch_dice: bool
) -> torch.Tensor:
    """Tversky loss of each class, [class]; with both weights ½ it is the Dice loss (Milletari et al., 3DV 2016).

    `found` holds probabilities, `targets` masks, both [batch, class, z, y, x]. With `batch_dice` the voxels of the
    batches of all processes are summed; without it the loss is the mean over the patches.
    """
    both = (found * targets).sum(SPACE)
    sums = torch.stack([both, found.sum(SPACE) - both, targets.sum(SPACE) - both])
    if batch_dice:
        sums = sums.sum(dim=1)
        if dist.is_initialized():
            sums = all_reduce(sums)
    hit, false_sum, missed_sum = sums
    losses = 1 - (hit + SMOOTH) / (hit + false * false_sum + missed * missed_sum + SMOOTH)
    return losses if batch_dice else losses.mean(dim=0)


def _focus(cross_entropy: torch.Tensor) -> torch.Tensor:
    """Focal loss of each voxel from its cross-entropy; low for voxels that the network already predicts well."""
    return (1 - torch.exp(-cross_entropy)) ** FOCUS * cross_entropy


def _binary_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, focal: bool
) -> torch.Tensor:
    """Binary cross-entropy: mean over all voxels, then (weighted) mean over the classes."""
    if not focal and weights is None:
        return F.binary_cross_entropy_with_logits(logits, targets)
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    by_class = (_focus(entropy) if focal else entropy).mean((0, *SPACE))
    return by_class.mean() if weights is None else (by_class * weights).sum() / weights.sum()


def _exclusive_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, focal: bool
) -> torch.Tensor:
    """Cross-entropy over the classes and the background (weight 1): mean over all voxels.

    A voxel of a coarse level, with shares of classes, counts as the one with the largest share.
    """
    classes = torch.cat([1 - targets.sum(1, keepdim=True), targets], dim=1).argmax(1)
    entropy = F.cross_entropy(with_background(logits), classes, reduction="none")
    counted = _focus(entropy) if focal else entropy
    if weights is not None:
        counted = counted * F.pad(weights, (1, 0), value=1.0)[classes]
    return counted.mean()
