"""Training batches: random patches, augmented and normalised, with the masks of their classes.

A batch is a pure function of its number: a run resumes exactly without stored state, any batch can be inspected again,
and each of several processes can make its share of a batch.
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

# The threads of the network wait for each other at each layer, so a thread that shares its core delays all others: on
# two cores a step is 4 to 7 % shorter if batches are made between the steps than if they are made during the steps.
# With more threads than this, making batches between the steps would leave too many cores idle.
FEW_THREADS = 4
FREE_SHARE = 0.25  # largest share of a GPU's free memory for the cases; the network needs the rest

Made = TypeVar("Made")


@dataclass(frozen=True)
class Share:
    """Share of a process in each batch: the patches with numbers equal to `rank` modulo `processes`."""

    rank: int = 0
    processes: int = 1


def batch_maker(
    cases: Sequence[TrainingCase], settings: TrainSettings, device: torch.device, share: Share
) -> Callable[[int], Batch]:
    """Function from a batch number to augmented, normalised images and 0/1 masks on the device.

    Both are float32: images [patch, 1, z, y, x] and masks [patch, class, z, y, x]. Raises ValueError if no case has a
    voxel of any class although `foreground_probability` is above 0.
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
    """Function as of `batch_maker` on a processor; makes the patches with these numbers one after the other."""
    augmentation, patch_zyx, spacing_xyz_mm = settings.augment, settings.patch_zyx, settings.spacing_xyz_mm
    source_zyx = augmentation.source_patch(patch_zyx, spacing_xyz_mm)
    window_hu = settings.scaling.low_hu, settings.scaling.high_hu

    def make_patch(index: int, number: int, image: torch.Tensor, masks: torch.Tensor) -> None:
        rng = np.random.default_rng([settings.seed, index, number])
        deformed = augmentation.deforms and rng.random() < SPATIAL_PROBABILITY
        hu, label = map(torch.from_numpy, sampler.patch(rng, patch_zyx, source_zyx if deformed else None))
        augment(hu, label, spacing_xyz_mm, window_hu, augmentation, rng, image, masks)

    def make(index: int) -> Batch:
        images = torch.empty(len(numbers), 1, *patch_zyx)
        targets = torch.zeros(len(numbers), settings.n_classes, *patch_zyx)
        for number, image, masks in zip(numbers, images, targets, strict=True):
            make_patch(index, number, image[0], masks)
        return normalise(images, settings.scaling), targets

    return make


def holds_volumes(device: torch.device, cases: Sequence[TrainingCase], data_on: str) -> bool:
    """Whether the cases are kept in GPU memory during training, so that cutting a patch needs no transfer."""
    if device.type != "cuda" or data_on != "auto":
        return device.type == "cuda" and data_on == "gpu"
    n_bytes = sum(case.image_zyx.nbytes + case.label_zyx.nbytes for case in cases)
    return n_bytes <= FREE_SHARE * torch.cuda.mem_get_info(device)[0]


def batches(make: Callable[[int], Batch], device: torch.device) -> Callable[[int], Batch]:
    """`make`, with the next batch made in the background, except on a processor with at most `FEW_THREADS` threads."""
    if device.type == "cuda":
        begun = Prefetch(on_own_stream(make, device))
        return lambda index: begun(index)()
    few_cores = device.type == "cpu" and torch.get_num_threads() <= FEW_THREADS
    return make if few_cores else Prefetch(make)


class Prefetch(Generic[Made]):
    """Function of whole numbers that already computes the result for the next number in the background."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        # A second team of OpenMP threads would make libgomp put all threads to sleep at each barrier, since there are
        # more of them than cores: on two cores a step of the default study took 230 instead of 130 ms.
        self._pool = ThreadPoolExecutor(1, "batches", initializer=torch.set_num_threads, initargs=(1,))
        self._ahead: tuple[int, Future[Made]] | None = None

    def __call__(self, index: int) -> Made:
        """Result of the function for `index`."""
        ready = self._ahead is not None and self._ahead[0] == index
        future = self._ahead[1] if self._ahead and ready else self._pool.submit(self._make, index)
        self._ahead = index + 1, self._pool.submit(self._make, index + 1)
        return future.result()
