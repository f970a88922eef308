"""Batches as the network trains on them.

A batch is a pure function of its number: no state has to be kept to resume a run exactly, any batch can be looked at
again, and several processes can each make their share of one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from ctseg.augment import SPATIAL_PROBABILITY, augment
from ctseg.network import normalise
from ctseg.sampling import PatchSampler, TrainingCase
from ctseg.training_settings import TrainSettings

# The network's threads wait for each other at each layer, so one that has to share its core delays all of them: on two
# cores a step with batches made in between is 4 to 7 % shorter than with batches made beside it. With more cores than
# these making one in between would leave too many of them idle.
FEW_THREADS = 4

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Share:
    """Which patches of each batch a process makes: those whose number is `rank` modulo `processes`."""

    rank: int = 0
    processes: int = 1


def batch_maker(
    cases: Sequence[TrainingCase], settings: TrainSettings, device: torch.device, share: Share
) -> Callable[[int], Batch]:
    """The function from a batch's number to its augmented, normalised images and 0/1 masks, on the device.

    Raises ValueError when no case has a voxel of any class but foreground is asked for.
    """
    augmentation, patch_zyx, spacing_xyz_mm = settings.augment, settings.patch_zyx, settings.spacing_xyz_mm
    sampler = PatchSampler(cases, settings.foreground_probability, settings.volume_exponent, settings.scaling.low_hu)
    source_zyx = augmentation.source_patch(patch_zyx, spacing_xyz_mm)
    classes = torch.arange(1, settings.n_classes + 1, dtype=torch.uint8, device=device).view(1, -1, 1, 1, 1)
    window_hu = settings.scaling.low_hu, settings.scaling.high_hu

    def make_patch(index: int, number: int) -> Batch:
        rng = np.random.default_rng([settings.seed, index, number])
        deformed = augmentation.deforms and rng.random() < SPATIAL_PROBABILITY
        hu, label = sampler.patch(rng, source_zyx if deformed else patch_zyx)
        patch = torch.empty(1, 1 + settings.n_classes, *hu.shape, device=device)
        patch[:, 0] = torch.from_numpy(hu)
        patch[:, 1:] = torch.from_numpy(label).to(device) == classes
        return augment(patch, patch_zyx, spacing_xyz_mm, window_hu, augmentation, rng)

    def make(index: int) -> Batch:
        numbers = range(share.rank, settings.batch_size, share.processes)
        images, targets = zip(*(make_patch(index, number) for number in numbers), strict=True)
        scaled = normalise(torch.cat(images), settings.scaling)
        return scaled.contiguous(memory_format=torch.channels_last_3d), torch.cat(targets)

    return make


def batches(make: Callable[[int], Batch], device: torch.device) -> Callable[[int], Batch]:
    """The same function, made ahead in the background where the network leaves it a core."""
    few_cores = device.type == "cpu" and torch.get_num_threads() <= FEW_THREADS
    return make if few_cores else Prefetch(make)


class Prefetch:
    """Calls a function of whole numbers, and the next number's in the background at once."""

    def __init__(self, make: Callable[[int], Batch]) -> None:
        """One thread of its own makes what is asked for."""
        self._make = make
        # A second team of OpenMP threads would make libgomp put all threads to sleep at each barrier, since there are
        # more of them than cores: on two cores a step of the default study took 230 instead of 130 ms.
        self._pool = ThreadPoolExecutor(1, "batches", initializer=torch.set_num_threads, initargs=(1,))
        self._ahead: tuple[int, Future[Batch]] | None = None

    def __call__(self, index: int) -> Batch:
        """What the function gives for `index`."""
        ready = self._ahead is not None and self._ahead[0] == index
        future = self._ahead[1] if self._ahead and ready else self._pool.submit(self._make, index)
        self._ahead = index + 1, self._pool.submit(self._make, index + 1)
        return future.result()
