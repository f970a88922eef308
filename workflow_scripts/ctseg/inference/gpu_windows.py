"""Sliding windows on the device of the network; the counterpart of `sliding_window.slabs`, with the same windows."""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import torch

from ctseg.errors import MachineError
from ctseg.geometry.volume import Shape
from ctseg.inference.sliding_window import Tiling

logger = logging.getLogger(__name__)

# Takes float32 HU [batch, 1, z, y, x], returns float32 probabilities [batch, class, z, y, x], both on the device.
DeviceNetwork = Callable[[torch.Tensor], torch.Tensor]
# Takes the first row and the row after the last, returns the int16 HU [z, y, x] of these rows of a volume.
ReadDeviceRows = Callable[[int, int], torch.Tensor]


class DeviceWindows:
    """A network applied to the windows of a volume, several at once."""

    def __init__(self, tiles: Tiling, network: DeviceNetwork, n_classes: int, batch_size: int, device: torch.device):
        """`batch_size` windows are computed at once; fewer after the memory ran out."""
        self.tiles, self.network, self.n_classes, self.batch_size = tiles, network, n_classes, batch_size
        self.device = device
        starts_y, starts_x = tiles.starts_zyx[1:]
        self._columns = list(product(starts_y, starts_x))
        self._weights_z, weights_y, weights_x = (self._weights(axis) for axis in range(3))
        # Weights of the voxels of each column of windows (same y and x) in the plane: [column, y, x].
        self._planes = (weights_y[:, None, :, None] * weights_x[None, :, None, :]).flatten(0, 1)

    def _weights(self, axis: int) -> torch.Tensor:
        """Weights of the voxels of each window along an axis: float32 [window, voxel]."""
        size = self.tiles.window_zyx[axis]
        ones = np.ones(size, dtype=np.float32)
        rows = [ones if weights is None else weights for weights in self.tiles.weights(axis)]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def slabs(self, read_rows: ReadDeviceRows, air_hu: float, fill: float) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield first row and float32 probabilities [class, z, y, x] of each slab; see `sliding_window.slabs`.

        The tensor is reused for the next slab.
        """
        depth, *_ = self.tiles.window_zyx
        rows, *size = self.tiles.shape_zyx
        _, *plane = self.tiles.padded_zyx
        image = torch.full((depth, *plane), int(fill), dtype=torch.int16, device=self.device)
        total = torch.zeros((self.n_classes, depth, *plane), device=self.device)
        starts_z = self.tiles.starts_zyx[0]
        row = 0  # the row after the last one read
        for number, (first, end) in enumerate(zip(starts_z, [*starts_z[1:], rows], strict=True)):
            last = min(first + depth, rows)
            image[row - first : last - first, : size[0], : size[1]] = read_rows(row, last)
            row = last
            waiting = self._solid(image, air_hu)
            while waiting:
                some = waiting[: self.batch_size]
                found = self._computed(image, some)
                if found is None:
                    self._take_fewer()
                    continue
                self._add(found, some, self._weights_z[number], total)
                waiting = waiting[len(some) :]
            done = end - first
            yield first, total[:, :done, : size[0], : size[1]]
            image[: depth - done] = image[done:].clone()
            total[:, : depth - done] = total[:, done:].clone()
            total[:, depth - done :] = 0

    def _box(self, column: int) -> tuple[slice, slice]:
        """Slices along y and x of a column of windows in the plane."""
        (y, x), (_, height, width) = self._columns[column], self.tiles.window_zyx
        return slice(y, y + height), slice(x, x + width)

    def _solid(self, image: torch.Tensor, air_hu: float) -> list[int]:
        """The columns of windows with a voxel above `air_hu`; one copy from the device for all of them."""
        if air_hu == -np.inf:
            return list(range(len(self._columns)))
        highest = image.amax(dim=0)
        found = torch.stack([highest[self._box(column)].amax() for column in range(len(self._columns))])
        return np.flatnonzero((found > air_hu).cpu().numpy()).tolist()

    def _computed(self, image: torch.Tensor, columns: Sequence[int]) -> torch.Tensor | None:
        """The network's probabilities for several windows at once, or None if the memory ran out."""
        windows = torch.stack([image[:, *self._box(column)] for column in columns])[:, None]
        try:
            return self.network(windows.float())
        except torch.OutOfMemoryError:
            return None  # no retry here: the exception keeps references to the network's intermediate tensors

    def _add(self, found: torch.Tensor, columns: Sequence[int], weights_z: torch.Tensor, total: torch.Tensor) -> None:
        """Add the weighted probabilities of windows to `total` [class, z, y, x]."""
        found = found * (weights_z[:, None, None] * self._planes[list(columns)][:, None])[:, None]
        for column, weighted in zip(columns, found, strict=True):
            total[:, :, *self._box(column)] += weighted

    def _take_fewer(self) -> None:
        """Halve the number of windows at once after the memory ran out. Raises MachineError if it is 1."""
        if self.batch_size == 1:
            raise MachineError(memory_advice(self.tiles.window_zyx))
        self.batch_size = max(1, self.batch_size // 2)
        logger.warning("the GPU's memory ran out; continuing with %d windows at once", self.batch_size)
        torch.cuda.empty_cache()


def memory_advice(window_zyx: Shape) -> str:
    """Advice for settings if not even one window fits the GPU."""
    size = " × ".join(str(size) for size in reversed(window_zyx))
    return (
        f"the GPU has too little free memory for a window of {size} voxels; end other programs on it, set infer.window "
        "to patch and infer.gpu_memory_gib (--gpu-memory-gib) to less than is free, or infer.engine (--engine) to "
        "openvino, which uses the processor"
    )


def mirrored(network: DeviceNetwork, axes: str) -> DeviceNetwork:
    """Network that averages its output over a batch and its mirror images; see `engines.mirrored`."""
    dimensions = ["zyx".index(axis) + 2 for axis in axes]
    chosen = product((False, True), repeat=len(dimensions))
    flips = [tuple(d for d, flip in zip(dimensions, flipped, strict=True) if flip) for flipped in chosen]

    def mean(hu: torch.Tensor) -> torch.Tensor:
        total = network(hu)
        for flip in flips[1:]:
            total = total + network(hu.flip(flip)).flip(flip)
        return total / len(flips)

    return mean if flips[1:] else network
