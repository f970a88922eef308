"""Losses in closed form, and what tells them apart."""

import math

import pytest
import torch

from ctseg.losses import LOSSES, SegmentationLoss, focal_cross_entropy

SURE = 50.0
TARGETS = (torch.rand(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.3).float()
PERFECT = (TARGETS * 2 - 1) * SURE


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_a_perfect_prediction_costs_nothing_and_its_opposite_most(name, weight):
    loss = SegmentationLoss(name, weight)
    assert loss(PERFECT, TARGETS).item() == pytest.approx(0, abs=1e-4)
    assert loss(-PERFECT, TARGETS).item() > 0.99


def test_undecided_voxels_in_closed_form():
    undecided = torch.zeros_like(TARGETS)
    assert SegmentationLoss("dice_bce", 0.0)(undecided, TARGETS).item() == pytest.approx(math.log(2))
    assert focal_cross_entropy(undecided, TARGETS).item() == pytest.approx(math.log(2) / 4)
    # Per class: 1 − 2 · ½ t / (½ n + t) for t of n voxels.
    share = TARGETS.mean(dim=(0, 2, 3, 4))
    expected = (1 - share / (0.5 + share)).mean().item()
    assert SegmentationLoss("dice_bce", 1.0)(undecided, TARGETS).item() == pytest.approx(expected, abs=1e-3)


def test_a_missed_voxel_costs_more_than_a_false_one_with_tversky():
    loss = SegmentationLoss("tversky_bce", 1.0)
    target = torch.zeros(1, 1, 4, 4, 4)
    target[..., :2] = 1
    missed, false = (target * 2 - 1) * SURE, (target * 2 - 1) * SURE
    missed[0, 0, 0, 0, 0], false[0, 0, 0, 0, 3] = -SURE, SURE
    assert loss(missed, target).item() > 1.5 * loss(false, target).item()


def test_levels_count_half_of_the_finer_one():
    loss = SegmentationLoss("dice_bce", 0.5)
    one, other = loss(PERFECT, TARGETS), loss(-PERFECT, TARGETS)
    both = loss(torch.stack([PERFECT, -PERFECT], dim=1), TARGETS)
    assert both.item() == pytest.approx((one.item() + other.item() / 2) / 1.5)
