"""Sliding windows: a network for windows of one size, applied to a volume of any size, one slab at a time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ctseg.geometry.volume import Shape

# Takes float32 HU [batch, 1, z, y, x], returns float32 probabilities [batch, class, z, y, x].
Network = Callable[[np.ndarray], np.ndarray]
# Takes the first row and the row after the last, returns the int16 HU [z, y, x] of these rows of a volume.
ReadRows = Callable[[int, int], np.ndarray]

MOST_SPLITS = 64  # largest number of windows along an axis that is tried for large windows
SLAB_BYTES = 8  # for each class of a voxel of a slab; the float32 sum takes 4 of them


@dataclass(frozen=True)
class Tiling:
    """Positions of windows of one size along the three axes of a volume, and the weights of a window's voxels.

    A volume smaller than the window is treated as padded at its ends.
    """

    shape_zyx: Shape
    window_zyx: Shape
    starts_zyx: tuple[list[int], list[int], list[int]]
    profiles_zyx: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def padded_zyx(self) -> Shape:
        """The shape of the volume with its padding."""
        z, y, x = (max(pair) for pair in zip(self.shape_zyx, self.window_zyx, strict=True))
        return z, y, x

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return math.prod(map(len, self.starts_zyx))

    @property
    def computed_voxels(self) -> int:
        """Number of voxels of all windows together, which the network has to compute."""
        return self.n_windows * math.prod(self.window_zyx)

    def weights(self, axis: int) -> list[np.ndarray | None]:
        """Weights of the voxels of each window along an axis (0 is z); all weights at one place add up to 1.

        None means 1 everywhere: no other window covers any of its voxels.
        """
        profile, size = self.profiles_zyx[axis], self.window_zyx[axis]
        if len(self.starts_zyx[axis]) == 1:
            return [None]
        total = np.zeros(self.padded_zyx[axis], dtype=np.float32)
        for start in self.starts_zyx[axis]:
            total[start : start + size] += profile
        return [profile / total[start : start + size] for start in self.starts_zyx[axis]]


def window_starts(size: int, window: int, shared: int) -> list[int]:
    """First indices of the windows that cover `size` voxels; neighbours share at least `shared` voxels.

    The windows are spread evenly and the last one ends at the border, so none is padded unless `size < window`.
    """
    if size <= window:
        return [0]
    count = math.ceil((size - window) / max(1, window - shared)) + 1
    return [int(start) for start in np.linspace(0, size - window, count).round()]


def profile(window: int, patch: int) -> np.ndarray:
    """Weight of each voxel along an axis of a window when windows are merged: float32, 1 at the centre.

    A network sees less context towards the border of its window. A window of the training patch's size has the Gaussian
    of nnU-Net (σ an eighth of the window; Isensee et al., Nature Methods 2021); a larger one has the same flanks and is
    flat between them. Never 0, since at the corner of a volume only one window contributes.
    """
    to_centre = np.maximum(0, patch / 2 - 0.5 - np.minimum(np.arange(window), np.arange(window)[::-1]))
    gaussian = np.exp(-0.5 * (to_centre / (patch / 8)) ** 2)
    return np.maximum(gaussian / gaussian.max(), 1e-3).astype(np.float32)


def tiling(shape_zyx: Shape, window_zyx: Shape, patch_zyx: Shape, overlap: float) -> Tiling:
    """Windows over a volume of `shape_zyx` voxels that share at least `overlap` of the training patch."""
    axes = list(zip(shape_zyx, window_zyx, patch_zyx, strict=True))
    starts = [window_starts(size, window, math.ceil(patch * overlap)) for size, window, patch in axes]
    profiles = [profile(window, patch) for _, window, patch in axes]
    return Tiling(shape_zyx, window_zyx, tuple(starts), tuple(profiles))  # type: ignore[arg-type]


def large_windows(
    shape_zyx: Shape,
    patch_zyx: Shape,
    overlap: float,
    multiple_zyx: Shape,
    n_classes: int,
    window_bytes: float,
    most_bytes: float,
) -> Tiling:
    """The tiling with the fewest voxels to compute, of windows that have at least a patch's size and fit the memory.

    `window_bytes` is the memory for one voxel of a window while the network runs; the slab in which windows are merged
    needs memory too. If not even a patch fits into `most_bytes`, windows have the patch's size.
    """
    axes = []
    for size, patch, multiple in zip(shape_zyx, patch_zyx, multiple_zyx, strict=True):
        shared = math.ceil(patch * overlap)
        wanted = [(size + (count - 1) * shared) / count for count in range(1, MOST_SPLITS + 1)]
        windows = {patch, *(max(patch, math.ceil(window / multiple) * multiple) for window in wanted)}
        axes.append([(window, len(window_starts(size, window, shared))) for window in sorted(windows)])
    best, fewest = patch_zyx, math.inf
    for (depth, n_z), (height, n_y), (width, n_x) in product(*axes):
        slab = depth * max(shape_zyx[1], height) * max(shape_zyx[2], width)
        needed_bytes = depth * height * width * window_bytes + slab * (n_classes * SLAB_BYTES + 2)
        computed = depth * height * width * n_z * n_y * n_x
        if needed_bytes <= most_bytes and computed < fewest:
            best, fewest = (depth, height, width), computed
    return tiling(shape_zyx, best, patch_zyx, overlap)


def slabs(
    read_rows: ReadRows, tiles: Tiling, network: Network, n_classes: int, batch_size: int, air_hu: float, fill: float
) -> Iterator[tuple[int, np.ndarray]]:
    """Apply `network` to the windows, and average its probabilities weighted by the profiles, from the first row on.

    Yields the first row and the float32 probabilities [class, z, y, x] of each slab as soon as no later window adds to
    it, so that memory depends only on the size of a row (y, x) and of the window. The array is reused for the next
    slab. `fill` pads volumes smaller than a window. A window without a voxel above `air_hu` is not computed; its
    probabilities are 0.
    """
    depth, height, width = tiles.window_zyx
    rows, *size = tiles.shape_zyx
    _, *plane = tiles.padded_zyx
    image = np.full((depth, *plane), fill, dtype=np.int16)
    total = np.zeros((n_classes, depth, *plane), dtype=np.float32)
    weights_z, weights_y, weights_x = (tiles.weights(axis) for axis in range(3))
    columns = [
        ((slice(y, y + height), slice(x, x + width)), weight_y, weight_x)
        for y, weight_y in zip(tiles.starts_zyx[1], weights_y, strict=True)
        for x, weight_x in zip(tiles.starts_zyx[2], weights_x, strict=True)
    ]
    ends = [*tiles.starts_zyx[0][1:], rows]
    row = 0  # the row after the last one read
    for first, end, weight_z in zip(tiles.starts_zyx[0], ends, weights_z, strict=True):
        last = min(first + depth, rows)
        image[row - first : last - first, : size[0], : size[1]] = read_rows(row, last)
        row = last
        solid = [column for column in columns if (image[:, *column[0]] > air_hu).any()]
        for some in batches(solid, batch_size):
            windows = np.stack([image[:, *box] for box, _, _ in some], dtype=np.float32)[:, None]
            for (box, weight_y, weight_x), found in zip(some, network(windows), strict=True):
                total[:, :, *box] += weighted(found, weight_z, weight_y, weight_x)
        done = end - first
        yield first, total[:, :done, : size[0], : size[1]]
        for kept in (image, *total):
            kept[: depth - done] = kept[done:]
        total[:, depth - done :] = 0


def weighted(probabilities: np.ndarray, *weights_zyx: np.ndarray | None) -> np.ndarray:
    """Probabilities [class, z, y, x] times the weights along each axis; None is 1."""
    for axis, weight in enumerate(weights_zyx, start=1):
        if weight is not None:
            probabilities = probabilities * np.expand_dims(weight, [other for other in range(4) if other != axis])
    return probabilities


def batches(items: list, size: int) -> Iterator[list]:
    """Consecutive runs of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def sliding_window(
    image_zyx: np.ndarray,
    network: Network,
    n_classes: int,
    patch_zyx: Shape,
    overlap: float,
    batch_size: int,
    fill: float,
) -> np.ndarray:
    """All of `slabs` for an image in memory, with windows of the training patch's size; air is computed, too.

    `image_zyx` holds int16 HU [z, y, x] on the network's grid. Returns float32 probabilities [class, z, y, x].
    """
    tiles = tiling(image_zyx.shape, patch_zyx, patch_zyx, overlap)
    found = slabs(lambda a, b: image_zyx[a:b], tiles, network, n_classes, batch_size, -np.inf, fill)
    return np.concatenate([slab.copy() for _, slab in found], axis=1)
