"""Validation Dice of the weights during training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from ctseg.errors import MachineError, TrainingError
from ctseg.geometry.volume import Shape
from ctseg.inference import gpu_labels
from ctseg.inference.gpu_windows import DeviceWindows
from ctseg.inference.sliding_window import sliding_window, tiling
from ctseg.masks.label_map import label_map
from ctseg.masks.overlap import dice_of_masks, mean_dice
from ctseg.training.batches import Share
from ctseg.training.patch_sampling import TrainingCase

OVERLAP = 0.25  # less than in inference: validation runs often, and both overlaps rank the weights in the same order
BATCH_SIZE = 2
GPU_BATCH_SIZE = 8
THRESHOLD = 0.5  # the same for all weights; the final threshold is chosen after training


# Function from a case to its predicted label map, uint8 [z, y, x] on the network's grid.
Segment = Callable[[TrainingCase], np.ndarray]


@dataclass(frozen=True)
class Windowed:
    """Windows of validation cases: of the size of a training patch, padded with `fill_hu`."""

    patch_zyx: Shape
    n_classes: int
    fill_hu: float


def on_processor(model: nn.Module, windowed: Windowed) -> Segment:
    """Function that segments a case on the processor; `model` maps HU to probabilities."""

    def network(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(patches)).float().numpy()

    def segment(case: TrainingCase) -> np.ndarray:
        sizes = windowed.n_classes, windowed.patch_zyx, OVERLAP, BATCH_SIZE, windowed.fill_hu
        return label_map(sliding_window(case.image_zyx, network, *sizes), THRESHOLD)

    return segment


def on_gpu(model: nn.Module, windowed: Windowed, device: torch.device) -> Segment:
    """Function that segments a case on a GPU: the case is copied to the GPU, and its label map is copied back.

    It raises TrainingError if the GPU has too little memory for that.
    """

    def network(hu: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return model(hu.contiguous(memory_format=torch.channels_last_3d)).float()

    def segment(case: TrainingCase) -> np.ndarray:
        try:
            return labels_of(case)
        except (MachineError, torch.OutOfMemoryError):
            voxels = " × ".join(str(size) for size in reversed(case.image_zyx.shape))
            raise TrainingError(
                f"the GPU has too little memory to segment a validation case of {voxels} voxels; end other programs on "
                "it, or use fewer network.channels, larger voxels (plan.spacing_mm) or another GPU"
            ) from None

    def labels_of(case: TrainingCase) -> np.ndarray:
        image = torch.from_numpy(np.array(case.image_zyx)).to(device)
        patch_zyx = windowed.patch_zyx
        tiles = tiling(case.image_zyx.shape, patch_zyx, patch_zyx, OVERLAP)
        windows = DeviceWindows(tiles, network, windowed.n_classes, GPU_BATCH_SIZE, device)
        slabs = windows.slabs(lambda first, stop: image[first:stop], -np.inf, windowed.fill_hu)
        return torch.cat([gpu_labels.label_map(slab, THRESHOLD) for _, slab in slabs]).cpu().numpy()

    return segment


def validation_dice(cases: Sequence[TrainingCase], segment: Segment, n_classes: int, share: Share) -> float:
    """Mean Dice over all cases and the classes present in each, on the network's grid, before postprocessing.

    Classes without a reference voxel in a case are left out: in the first steps a network finds them nearly
    everywhere. Each of several processes segments its share of the cases, and all return the mean over all cases.
    Raises TrainingError if no case has a voxel of any class.
    """
    scores: list[float] = []
    for case in cases[share.rank :: share.processes]:
        predicted = segment(case)
        for value in range(1, n_classes + 1):
            reference = case.label_zyx == value
            if reference.any():
                scores.append(dice_of_masks(reference, predicted == value))
    if share.processes > 1:
        gathered: list[list[float]] = [[] for _ in range(share.processes)]
        dist.all_gather_object(gathered, scores)
        scores = [score for part in gathered for score in part]
    if not scores:
        raise TrainingError(
            "no validation case has a voxel of any target, so training cannot be judged; change `split` in the config "
            "or give cases a split in the case table"
        )
    return mean_dice(scores)
