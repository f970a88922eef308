"""How good the weights are while they are trained."""

from collections.abc import Sequence

import numpy as np

from ctseg.errors import InputError
from ctseg.sampling import TrainingCase
from ctseg.segmentation import label_map
from ctseg.volume import Shape
from ctseg.windows import Network, sliding_window

OVERLAP = 0.25  # less than inference uses: validation is run often, and both rank the weights alike
BATCH_SIZE = 2


def validation_dice(
    cases: Sequence[TrainingCase],
    network: Network,
    n_classes: int,
    patch_zyx: Shape,
    threshold: float,
    fill_hu: float,
) -> float:
    """Mean Dice over the classes and cases that have a reference, each case segmented by sliding window.

    Computed on the network's grid, before postprocessing. Raises InputError when no case has a reference.
    """
    scores = []
    for case in cases:
        probabilities = sliding_window(case.image_zyx, network, n_classes, patch_zyx, OVERLAP, BATCH_SIZE, fill_hu)
        predicted = label_map(probabilities, threshold)
        for value in range(1, n_classes + 1):
            reference, found = case.label_zyx == value, predicted == value
            if reference.any():
                scores.append(2 * np.count_nonzero(reference & found) / (reference.sum() + found.sum()))
    if not scores:
        raise InputError(
            "no validation case has a voxel of any target, so training cannot be judged; change `split` in the config "
            "or give cases a split in the case table"
        )
    return float(np.mean(scores))
