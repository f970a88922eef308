"""Losses against closed forms and MONAI, and their differences."""

import math
from dataclasses import replace

import pytest
import torch
from monai.losses import DiceLoss, TverskyLoss
from torch.nn import functional as F

from ctseg.training.losses import LOSSES, LossSettings, SegmentationLoss

SURE = 50.0
TARGETS = (torch.rand(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.3).float()
TARGETS[:, 1] *= 1 - TARGETS[:, 0]  # no overlap, so that they are also valid for exclusive classes
PERFECT = (TARGETS * 2 - 1) * SURE
LOGITS = torch.randn(TARGETS.shape, generator=torch.Generator().manual_seed(1))
SETTINGS = LossSettings("dice_bce", 0.5, batch_dice=True, class_weights=(), exclusive=False)


def loss(logits=LOGITS, targets=TARGETS, **changes):
    return SegmentationLoss(replace(SETTINGS, **changes))(logits, targets)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_a_perfect_prediction_costs_nothing_and_its_opposite_most(name, weight, exclusive):
    settings = {"name": name, "dice_weight": weight, "exclusive": exclusive}
    assert loss(PERFECT, **settings).item() == pytest.approx(0, abs=1e-4)
    assert loss(-PERFECT, **settings).item() > 0.99


def test_undecided_voxels_in_closed_form():
    undecided = torch.zeros_like(TARGETS)
    assert loss(undecided, dice_weight=0.0).item() == pytest.approx(math.log(2))
    assert loss(undecided, dice_weight=0.0, name="dice_focal").item() == pytest.approx(math.log(2) / 4)
    assert loss(undecided, dice_weight=0.0, exclusive=True).item() == pytest.approx(math.log(3))
    # Per class: 1 − 2 · ½ t / (½ n + t) for t of n voxels.
    share = TARGETS.mean(dim=(0, 2, 3, 4))
    expected = (1 - share / (0.5 + share)).mean().item()
    assert loss(undecided, dice_weight=1.0).item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_regions_equal_those_of_monai(batch_dice):
    dice = DiceLoss(sigmoid=True, batch=batch_dice)(LOGITS, TARGETS)
    assert loss(dice_weight=1.0, batch_dice=batch_dice).item() == pytest.approx(dice.item(), abs=1e-5)
    tversky = TverskyLoss(sigmoid=True, batch=batch_dice, alpha=0.3, beta=0.7)(LOGITS, TARGETS)
    found = loss(dice_weight=1.0, batch_dice=batch_dice, name="tversky_bce")
    assert found.item() == pytest.approx(tversky.item(), abs=1e-5)


def test_a_class_weighs_what_it_is_given():
    alone = [loss(LOGITS[:, [c]], TARGETS[:, [c]]).item() for c in range(2)]
    assert loss(class_weights=(1.0, 1.0)).item() == pytest.approx(sum(alone) / 2)
    assert loss(class_weights=(3.0, 1.0)).item() == pytest.approx((3 * alone[0] + alone[1]) / 4, abs=1e-5)
    classes = torch.where(TARGETS.sum(1) > 0, TARGETS.argmax(1) + 1, 0)
    entropy = F.cross_entropy(torch.cat([torch.zeros(2, 1, 4, 4, 4), LOGITS], 1), classes, reduction="none")
    weighted = (entropy * torch.tensor([1.0, 3.0, 1.0])[classes]).mean()
    found = loss(dice_weight=0.0, exclusive=True, class_weights=(3.0, 1.0))
    assert found.item() == pytest.approx(weighted.item(), abs=1e-5)


def test_a_coarse_voxel_of_exclusive_classes_counts_as_its_largest_share():
    shares = torch.tensor([[0.4, 0.45], [0.2, 0.3], [1.0, 0.0], [0.1, 0.6]])  # background, first, second
    expected = (2, 0, 1, 2)
    for (first, second), wanted in zip(shares, expected, strict=True):
        targets = torch.tensor([first, second]).reshape(1, 2, 1, 1, 1)
        costs = []
        for answer in range(3):
            logits = torch.tensor([float(answer == 1), float(answer == 2)]) * 2 * SURE - SURE
            costs.append(loss(logits.reshape(targets.shape), targets, dice_weight=0.0, exclusive=True).item())
        assert [cost < 1e-3 for cost in costs] == [answer == wanted for answer in range(3)]


def test_a_missed_voxel_costs_more_than_a_false_one_with_tversky():
    target = torch.zeros(1, 1, 4, 4, 4)
    target[..., :2] = 1
    missed, false = (target * 2 - 1) * SURE, (target * 2 - 1) * SURE
    missed[0, 0, 0, 0, 0], false[0, 0, 0, 0, 3] = -SURE, SURE
    tversky = {"name": "tversky_bce", "dice_weight": 1.0}
    assert loss(missed, target, **tversky).item() > 1.5 * loss(false, target, **tversky).item()


def test_levels_count_half_of_the_finer_one():
    one, other = loss(PERFECT), loss(-PERFECT)
    both = loss([PERFECT, -PERFECT])
    assert both.item() == pytest.approx((one.item() + other.item() / 2) / 1.5)


def test_a_coarser_level_is_compared_with_the_share_of_each_of_its_voxels():
    coarse = torch.randn(2, 2, 2, 1, 4, generator=torch.Generator().manual_seed(2))
    shares = TARGETS.view(2, 2, 2, 2, 1, 4, 4, 1).mean(dim=(3, 5, 7))
    expected = (loss(LOGITS) + loss(coarse, shares) / 2) / 1.5
    torch.testing.assert_close(loss([LOGITS, coarse]), expected)
