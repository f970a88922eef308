"""Dice of two masks, and mean Dice: the common definition for training, model selection and evaluation.

The Dice of two empty masks is NaN and is left out of means, as Metrics Reloaded advises (Maier-Hein, Reinke et al.,
Nature Methods 2024): a Dice of 1 would reward cases without the target, a Dice of 0 would punish them. If only one of
the two masks is empty, the Dice is 0.
"""

import math
from collections.abc import Iterable

import numpy as np

Count = int | np.integer


def dice(shared: Count, first: Count, second: Count) -> float:
    """Dice of two masks of `first` and `second` voxels, of which `shared` are in both; NaN if both are empty."""
    return float(2 * shared / (first + second)) if first + second else math.nan


def dice_of_masks(first: np.ndarray, second: np.ndarray) -> float:
    """Dice of two boolean masks of the same shape; NaN if both are empty."""
    return dice(np.count_nonzero(first & second), np.count_nonzero(first), np.count_nonzero(second))


def dice_of_classes(first: np.ndarray, second: np.ndarray, n_classes: int) -> list[float]:
    """Dice of each class 1…n of two label maps of the same shape; NaN for a class that neither contains."""
    return [dice_of_masks(first == value, second == value) for value in range(1, n_classes + 1)]


def mean_dice(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN if all are."""
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
