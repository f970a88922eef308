"""Validation Dice: mean over classes with a reference; equal for the CPU and GPU implementations."""

import numpy as np
import pytest
import torch

from ctseg.errors import InputError, TrainingError
from ctseg.training.batches import Share
from ctseg.training.validation import Windowed, on_gpu, on_processor, validation_dice
from training_data import make_case

ALONE = Share()
CASES = [make_case(seed, second_class=True) for seed in range(3)]


class Bright(torch.nn.Module):
    """Network that segments class 1 where HU are above 0, and never class 2."""

    def forward(self, hu):
        return torch.cat([(hu > 0).float(), torch.zeros_like(hu)], dim=1)


def test_a_perfect_segmentation_has_a_dice_of_one():
    assert validation_dice(CASES, lambda case: case.label_zyx, 2, ALONE) == 1


def test_dice_is_the_mean_over_classes_and_cases_that_have_a_reference():
    def none_of_class_2(case):
        return np.where(case.label_zyx == 1, 1, 0)

    assert validation_dice(CASES, none_of_class_2, 2, ALONE) == pytest.approx(0.5)
    assert validation_dice([make_case(0)], none_of_class_2, 2, ALONE) == 1  # the case has no class 2
    half = [make_case(0)]

    def twice(case):
        return (np.cumsum(case.label_zyx).reshape(case.label_zyx.shape) <= case.label_zyx.sum() // 2) * case.label_zyx

    voxels = int(half[0].label_zyx.sum())
    assert validation_dice(half, twice, 1, ALONE) == pytest.approx(2 * (voxels // 2) / (voxels + voxels // 2))


def test_cases_without_any_target_cannot_judge():
    with pytest.raises(InputError, match="no validation case has a voxel of any target"):
        validation_dice([make_case(0, radius=0)], lambda case: case.label_zyx, 1, ALONE)


def test_both_ways_find_what_the_network_finds():
    windowed = Windowed((8, 8, 8), 2, -1000)
    for case in CASES:
        expected = (case.image_zyx > 0).astype(np.uint8)
        for segment in (on_processor(Bright(), windowed), on_gpu(Bright(), windowed, torch.device("cpu"))):
            found = segment(case)
            assert found.dtype == np.uint8
            np.testing.assert_array_equal(found, expected)


class Greedy(torch.nn.Module):
    """Network for which there is never enough memory."""

    def forward(self, hu):
        raise torch.OutOfMemoryError


def test_too_little_memory_of_the_gpu_is_told_with_what_changes_training():
    segment = on_gpu(Greedy(), Windowed((8, 8, 8), 2, -1000), torch.device("cpu"))
    with pytest.raises(TrainingError, match=r"to segment a validation case of \d+ × .*fewer network.channels") as told:
        segment(CASES[0])
    assert "infer." not in str(told.value)
