"""Training batches made on a GPU, with a few operations for all patches at once.

The patches and their changes are drawn as on a processor (`batches.processor_batches` is the plain counterpart). The
drawn values go to the device in a few small tensors and nothing is read back, so the processor never waits for the
device.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.network.architectures import normalise
from ctseg.training.augmentation import blur_weights, elastic_shifts, stock_of_noise
from ctseg.training.gpu_sources import Source, uploaded
from ctseg.training.patch_sampling import PatchSampler, TrainingCase, margin_of
from ctseg.training.random_changes import SPATIAL_PROBABILITY, Changes, draw_changes, stock_size
from ctseg.training.settings import TrainSettings

Batch = tuple[torch.Tensor, torch.Tensor]

AHEAD = 2  # batches that may wait for the GPU


@dataclass(frozen=True)
class Patch:
    """Position and changes of a patch; `start_zyx` is the first voxel of its source in the case."""

    case: TrainingCase
    start_zyx: np.ndarray
    changes: Changes


class DeviceBatches:
    """Function from a batch number to images and 0/1 masks on the device, see `batches.batch_maker`."""

    def __init__(
        self,
        sampler: PatchSampler,
        source: Source,
        settings: TrainSettings,
        numbers: Sequence[int],
        device: torch.device,
    ) -> None:
        """`numbers` are the numbers of the patches to make in each batch; `source` cuts them."""
        self.sampler, self.source, self.settings, self.numbers = sampler, source, settings, numbers
        self.device = device
        augmentation = settings.augment
        self.source_zyx = settings.patch_zyx
        if augmentation.deforms:
            self.source_zyx = augmentation.source_patch(settings.patch_zyx, settings.spacing_xyz_mm)
        self._margin = margin_of(self.source_zyx, settings.patch_zyx)
        centres = [(2 * np.arange(size, dtype=np.float32) + 1) / size - 1 for size in settings.patch_zyx]
        self._centres = [torch.from_numpy(along).to(device) for along in centres]
        self._stock = None
        if augmentation.noise_hu:
            self._stock = stock_of_noise(stock_size(settings.patch_zyx), device)

    def __call__(self, index: int) -> Batch:
        """Images [patch, 1, z, y, x] and masks [patch, class, z, y, x] of the batch with this number, float32."""
        settings = self.settings
        patches = [self._drawn(index, number) for number in self.numbers]
        changes = [patch.changes for patch in patches]
        places = [(patch.case, patch.start_zyx) for patch in patches]
        hu, label = self.source(places, self.source_zyx, self.sampler.fill_hu)
        grid = self._grid(changes)
        image = sampled(hu, grid)
        masks = [sampled(label == value, grid) >= 0.5 for value in range(1, settings.n_classes + 1)]
        image = self._varied(image, changes)
        return normalise(image, settings.scaling), torch.cat(masks, dim=1).float()

    def _drawn(self, index: int, number: int) -> Patch:
        """Patch `number` of batch `index`, from the same random draws as on a processor."""
        settings = self.settings
        patch_zyx, spacing_xyz_mm = settings.patch_zyx, settings.spacing_xyz_mm
        rng = np.random.default_rng([settings.seed, index, number])
        deformed = settings.augment.deforms and rng.random() < SPATIAL_PROBABILITY
        case, start = self.sampler.place(rng, patch_zyx)
        changes = draw_changes(rng, settings.augment, self.source_zyx, patch_zyx, spacing_xyz_mm, deformed)
        # The source has the same size for all patches; a patch without deformation is the middle of its source.
        return Patch(case, start - self._margin, changes)

    def _grid(self, changes: Sequence[Changes]) -> torch.Tensor:
        """Position of each voxel in the source of its patch: float32 [patch, z, y, x, 3] with x, y, z in −1…1."""
        theta = uploaded(np.stack([self._affine(one) for one in changes]), self.device)
        z, y, x = self._centres
        to_x, to_y, to_z, offset = (theta[:, None, None, None, :, column] for column in range(4))
        grid = (x[:, None] * to_x + y[:, None, None] * to_y) + (z[:, None, None, None] * to_z + offset)
        moved = [one.moved_mm for one in changes]
        shape = next((points.shape for points in moved if points is not None), None)
        if shape is None:
            return grid
        points = np.stack([np.zeros(shape, np.float32) if part is None else part for part in moved])
        settings = self.settings
        sizes = self.source_zyx, settings.patch_zyx, settings.spacing_xyz_mm
        return grid + elastic_shifts(uploaded(points, self.device), *sizes)

    def _affine(self, changes: Changes) -> np.ndarray:
        """Float32 matrix (3, 4) from x, y, z of a patch to x, y, z of its source, both in −1…1."""
        affine = np.zeros((3, 4), dtype=np.float32)
        if changes.matrix is not None:
            affine[:, :3] = changes.matrix
            return affine
        patch, source, margin = (
            np.array(sizes[::-1], dtype=np.float64)
            for sizes in (self.settings.patch_zyx, self.source_zyx, tuple(self._margin))
        )
        affine[:, :3] = np.diag(np.where(changes.flips[::-1], -1, 1) * patch / source)
        affine[:, 3] = (patch + 2 * margin) / source - 1
        return affine

    def _varied(self, image: torch.Tensor, changes: Sequence[Changes]) -> torch.Tensor:
        """Images [patch, 1, z, y, x] in HU after the intensity changes; the counterpart of `vary_intensity`."""
        settings = self.settings
        if any(one.blur_mm or one.coarse_zyx for one in changes):
            image = self._softened(image, changes)
        numbers = np.array([[one.contrast, one.gamma, one.shift_hu, one.noise_hu] for one in changes], np.float32)
        contrast, gamma, shift_hu, noise_hu = uploaded(numbers.T.copy(), self.device)[:, :, None, None, None, None]
        if settings.augment.contrast:
            image = torch.lerp(image.mean(dim=(1, 2, 3, 4), keepdim=True), image, contrast)
        if any(one.gamma != 1 for one in changes):
            low, width = settings.scaling.low_hu, settings.scaling.high_hu - settings.scaling.low_hu
            curved = ((image - low) / width).clamp(0, 1) ** gamma * width + low
            image = torch.where(gamma == 1, image, curved)
        if settings.augment.shift_hu:
            image = image + shift_hu
        if self._stock is not None:
            voxels = image[0].numel()
            noise = torch.stack([self._stock[one.noise_start : one.noise_start + voxels] for one in changes])
            image = torch.addcmul(image, noise.view(image.shape), noise_hu)
        return image

    def _softened(self, image: torch.Tensor, changes: Sequence[Changes]) -> torch.Tensor:
        """Blurred and coarsened images [patch, 1, z, y, x]: along each axis the product with one matrix per patch."""
        for axis, (size, spacing_mm) in enumerate(
            zip(self.settings.patch_zyx, self.settings.spacing_xyz_mm[::-1], strict=True)
        ):
            matrices = np.stack([softening(size, spacing_mm, one, axis) for one in changes])
            moved = image.movedim(axis + 2, -1)
            product = moved.reshape(len(changes), -1, size) @ uploaded(matrices, self.device)
            image = product.view(moved.shape).movedim(-1, axis + 2)
        return image.contiguous()


def sampled(volumes: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Volumes [patch, z, y, x] of any type, interpolated linearly at a grid of `_grid`: float32 [patch, 1, z, y, x]."""
    return F.grid_sample(volumes[:, None].float(), grid, padding_mode="border", align_corners=False)


def softening(size: int, spacing_mm: float, changes: Changes, axis: int) -> np.ndarray:
    """Matrix of the blur and coarsening of a patch along an axis (0 is z): float32 [from voxel, to voxel]."""
    matrix = np.eye(size, dtype=np.float32)
    if changes.blur_mm:
        weights = blur_weights(changes.blur_mm / spacing_mm)
        reach = len(weights) // 2
        matrix = np.zeros((size, size), dtype=np.float32)
        for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
            # Outside of the patch the border voxel counts.
            np.add.at(matrix, (np.clip(np.arange(size) + offset, 0, size - 1), np.arange(size)), weight)
    if changes.coarse_zyx:
        rows = torch.from_numpy(matrix)[None]
        coarse = F.interpolate(rows, changes.coarse_zyx[axis], mode="nearest-exact")
        matrix = F.interpolate(coarse, size, mode="linear")[0].numpy()
    return matrix


def on_own_stream(make: Callable[[int], Batch], device: torch.device) -> Callable[[int], Callable[[], Batch]]:
    """Make batches on a separate CUDA stream, parallel to the steps.

    The returned function starts the batch of a number and returns a second function. The second function makes the
    current stream wait for the batch and returns the batch. It waits until the work that was queued `AHEAD` batches ago
    is done: without a limit, batches that are not used yet would fill the memory.
    """
    queued: deque[torch.cuda.Event] = deque()
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # on which the cases are copied to the device

    def begin(index: int) -> Callable[[], Batch]:
        with torch.cuda.stream(stream):
            batch = make(index)
            made = stream.record_event()

        def hand_over() -> Batch:
            current = torch.cuda.current_stream(device)
            current.wait_event(made)
            for part in batch:
                part.record_stream(current)
            queued.append(current.record_event(torch.cuda.Event(blocking=True)))
            if len(queued) > AHEAD:
                queued.popleft().synchronize()
            return batch

        return hand_over

    return begin
