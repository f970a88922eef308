"""How good the weights are while they are trained."""

from collections.abc import Sequence

import numpy as np
import torch.distributed as dist

from ctseg.batches import Share
from ctseg.errors import InputError
from ctseg.sampling import TrainingCase
from ctseg.segmentation import label_map
from ctseg.volume import Shape
from ctseg.windows import Network, sliding_window

OVERLAP = 0.25  # less than inference uses: validation is run often, and both rank the weights alike
BATCH_SIZE = 2
THRESHOLD = 0.5  # what the final one is chosen from later; all weights are judged alike


def validation_dice(
    cases: Sequence[TrainingCase],
    network: Network,
    n_classes: int,
    patch_zyx: Shape,
    fill_hu: float,
    share: Share,
) -> float:
    """Mean Dice over the classes and cases that have a reference, each case segmented by sliding window.

    Several processes take their share of the cases, and all return the mean over all. Computed on the network's grid,
    before postprocessing. Raises InputError when no case has a reference.
    """
    scores: list[float] = []
    for case in cases[share.rank :: share.processes]:
        probabilities = sliding_window(case.image_zyx, network, n_classes, patch_zyx, OVERLAP, BATCH_SIZE, fill_hu)
        predicted = label_map(probabilities, THRESHOLD)
        for value in range(1, n_classes + 1):
            reference, found = case.label_zyx == value, predicted == value
            if reference.any():
                scores.append(float(2 * np.count_nonzero(reference & found) / (reference.sum() + found.sum())))
    if share.processes > 1:
        gathered: list[list[float]] = [[] for _ in range(share.processes)]
        dist.all_gather_object(gathered, scores)
        scores = [score for part in gathered for score in part]
    if not scores:
        raise InputError(
            "no validation case has a voxel of any target, so training cannot be judged; change `split` in the config "
            "or give cases a split in the case table"
        )
    return float(np.mean(scores))
