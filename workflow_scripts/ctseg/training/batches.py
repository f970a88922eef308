"""Batches as the network trains on them.

A batch is a pure function of its number: no state has to be kept to resume a run exactly, any batch can be looked at
again, and several processes can each make their share of one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from ctseg.network.architectures import normalise
from ctseg.training.augmentation import augment
from ctseg.training.gpu_batches import Batch, DeviceBatches, on_own_stream
from ctseg.training.gpu_sources import CasesInFiles, CasesOnDevice, Source
from ctseg.training.patch_sampling import PatchSampler, TrainingCase
from ctseg.training.random_changes import SPATIAL_PROBABILITY
from ctseg.training.settings import TrainSettings

# The network's threads wait for each other at each layer, so one that has to share its core delays all of them: on two
# cores a step with batches made in between is 4 to 7 % shorter than with batches made beside it. With more cores than
# these making one in between would leave too many of them idle.
FEW_THREADS = 4
FREE_SHARE = 0.25  # of a GPU's free memory that the cases may take; the network needs the rest

Made = TypeVar("Made")


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
    sampler = PatchSampler(cases, settings.foreground_probability, settings.volume_exponent, settings.scaling.low_hu)
    numbers = range(share.rank, settings.batch_size, share.processes)
    if device.type == "cpu":
        return processor_batches(sampler, settings, numbers)
    source: Source = CasesInFiles(device)
    if holds_volumes(device, cases, settings.data_on):
        source = CasesOnDevice(cases, device)
    return DeviceBatches(sampler, source, settings, numbers, device)


def processor_batches(sampler: PatchSampler, settings: TrainSettings, numbers: Sequence[int]) -> Callable[[int], Batch]:
    """The same on a processor, of the patches with these numbers, one after the other."""
    augmentation, patch_zyx, spacing_xyz_mm = settings.augment, settings.patch_zyx, settings.spacing_xyz_mm
    source_zyx = augmentation.source_patch(patch_zyx, spacing_xyz_mm)
    window_hu = settings.scaling.low_hu, settings.scaling.high_hu

    def make_patch(index: int, number: int, image: torch.Tensor, masks: torch.Tensor) -> None:
        rng = np.random.default_rng([settings.seed, index, number])
        deformed = augmentation.deforms and rng.random() < SPATIAL_PROBABILITY
        hu, label = map(torch.from_numpy, sampler.patch(rng, source_zyx if deformed else patch_zyx))
        augment(hu, label, spacing_xyz_mm, window_hu, augmentation, rng, image, masks)

    def make(index: int) -> Batch:
        images = torch.empty(len(numbers), 1, *patch_zyx)
        targets = torch.zeros(len(numbers), settings.n_classes, *patch_zyx)
        for number, image, masks in zip(numbers, images, targets, strict=True):
            make_patch(index, number, image[0], masks)
        return normalise(images, settings.scaling), targets

    return make


def holds_volumes(device: torch.device, cases: Sequence[TrainingCase], data_on: str) -> bool:
    """Whether the cases lie on the GPU while training, so that cutting a patch moves nothing to it."""
    if device.type != "cuda" or data_on != "auto":
        return device.type == "cuda" and data_on == "gpu"
    n_bytes = sum(case.image_zyx.nbytes + case.label_zyx.nbytes for case in cases)
    return n_bytes <= FREE_SHARE * torch.cuda.mem_get_info(device)[0]


def batches(make: Callable[[int], Batch], device: torch.device) -> Callable[[int], Batch]:
    """The same function, made ahead in the background where the network leaves it a core."""
    if device.type == "cuda":
        begun = Prefetch(on_own_stream(make, device))
        return lambda index: begun(index)()
    few_cores = device.type == "cpu" and torch.get_num_threads() <= FEW_THREADS
    return make if few_cores else Prefetch(make)


class Prefetch(Generic[Made]):
    """Calls a function of whole numbers, and the next number's in the background at once."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        # A second team of OpenMP threads would make libgomp put all threads to sleep at each barrier, since there are
        # more of them than cores: on two cores a step of the default study took 230 instead of 130 ms.
        self._pool = ThreadPoolExecutor(1, "batches", initializer=torch.set_num_threads, initargs=(1,))
        self._ahead: tuple[int, Future[Made]] | None = None

    def __call__(self, index: int) -> Made:
        """What the function gives for `index`."""
        ready = self._ahead is not None and self._ahead[0] == index
        future = self._ahead[1] if self._ahead and ready else self._pool.submit(self._make, index)
        self._ahead = index + 1, self._pool.submit(self._make, index + 1)
        return future.result()
