"""What training minimises: α times a loss over regions plus 1 − α times a loss over voxels.

All take logits and 0/1 masks [batch, class, z, y, x]. Regions are summed up here rather than by a library's Dice loss,
since they may lie in the batches of several processes: the sums, not the losses, are what adds up.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F

from ctseg.network.architectures import probabilities, with_background

SMOOTH = 1e-5  # in numerator and denominator, so that an empty region costs nothing when nothing is found
FOCUS = 2.0  # exponent of the focal loss; Lin et al., ICCV 2017
SPACE = (2, 3, 4)  # axes


@dataclass(frozen=True)
class LossSettings:
    """A loss of `LOSSES` and its weights.

    `dice_weight` is α, from 0 (voxels alone) to 1 (regions alone). With `batch_dice` a region is that of the whole
    batch, as in nnU-Net: of a single patch without target it jumps between 0 and 1 with one voxel. `class_weights` has
    one number a class, or is empty for equal ones. `exclusive` is that of the network.
    """

    name: str
    dice_weight: float
    batch_dice: bool
    class_weights: tuple[float, ...]
    exclusive: bool


@dataclass(frozen=True)
class Terms:
    """How much missed and false voxels count in regions, and whether voxels count less when the network is sure."""

    missed: float
    false: float
    focal: bool


LOSSES = {
    "dice_bce": Terms(0.5, 0.5, focal=False),
    "dice_focal": Terms(0.5, 0.5, focal=True),
    "tversky_bce": Terms(0.7, 0.3, focal=False),  # Salehi et al., MLMI 2017
}


class SegmentationLoss(nn.Module):
    """The loss of one output, or of several levels of a network."""

    def __init__(self, settings: LossSettings) -> None:
        """Raises KeyError for an unknown name."""
        super().__init__()
        self.settings = settings
        self.terms = LOSSES[settings.name]
        self._weights: torch.Tensor | None = None

    def _weights_for(self, targets: torch.Tensor) -> torch.Tensor:
        """The weight of each class, on the device of the targets; copied there once."""
        if self._weights is None or self._weights.device != targets.device:
            self._weights = targets.new_tensor(self.settings.class_weights or [1.0] * targets.shape[1])
        return self._weights

    def forward(self, logits: torch.Tensor | list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        """The loss as a scalar, in float32.

        With deep supervision `logits` is a list, the finest level first: each counts half of the finer one, and is
        compared with the share of each of its voxels that belongs to a class.
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
        # Weights that change nothing are left out; a softmax has the background beside them, which counts 1.
        like_one = {1.0} if settings.exclusive else set(settings.class_weights[:1])
        differing = weights if set(settings.class_weights) - like_one else None
        loss = (1 - settings.dice_weight) * over_voxels(logits, targets, differing, self.terms.focal)
        if settings.dice_weight:
            found = probabilities(logits, settings.exclusive)
            regions = region_loss(found, targets, self.terms.missed, self.terms.false, settings.batch_dice)
            loss = loss + settings.dice_weight * (regions * weights).sum() / weights.sum()
        return loss


def on_grid_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Masks [batch, class, z, y, x] averaged over the voxels that each voxel of a coarser level covers."""
    factors = [whole // part for whole, part in zip(targets.shape[2:], logits.shape[2:], strict=True)]
    return F.avg_pool3d(targets, factors) if max(factors) > 1 else targets


def region_loss(
    found: torch.Tensor, targets: torch.Tensor, missed: float, false: float, batch_dice: bool
) -> torch.Tensor:
    """Tversky's loss of each class; with both weights ½ it is the Dice loss (Milletari et al., 3DV 2016).

    With `batch_dice` regions are summed over the batch, and over the batches of all processes.
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
    """Count a voxel the less, the surer the network is of it already."""
    return (1 - torch.exp(-cross_entropy)) ** FOCUS * cross_entropy


def _binary_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, focal: bool
) -> torch.Tensor:
    """Binary cross-entropy, a mean over all voxels and, weighted, over the classes."""
    if not focal and weights is None:
        return F.binary_cross_entropy_with_logits(logits, targets)
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    by_class = (_focus(entropy) if focal else entropy).mean((0, *SPACE))
    return by_class.mean() if weights is None else (by_class * weights).sum() / weights.sum()


def _exclusive_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, focal: bool
) -> torch.Tensor:
    """Cross-entropy over the classes and the background, whose weight is 1; a mean over all voxels."""
    classes = torch.cat([targets.sum(1, keepdim=True) < 0.5, targets > 0.5], dim=1).to(torch.uint8).argmax(1)
    entropy = F.cross_entropy(with_background(logits), classes, reduction="none")
    counted = _focus(entropy) if focal else entropy
    if weights is not None:
        counted = counted * F.pad(weights, (1, 0), value=1.0)[classes]
    return counted.mean()
