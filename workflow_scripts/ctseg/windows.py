"""Sliding windows: a network that sees a patch, applied to a volume of any size."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from ctseg.volume import Shape

# Takes float32 HU [batch, 1, z, y, x], gives float32 probabilities [batch, class, z, y, x].
Network = Callable[[np.ndarray], np.ndarray]


def window_starts(size: int, window: int, overlap: float) -> list[int]:
    """First indices of the windows that cover `size` voxels; neighbours share at least `overlap` of a window.

    The windows are spread evenly and the last one ends at the border, so none is padded unless `size < window`.
    """
    if size <= window:
        return [0]
    step = max(1, int(window * (1 - overlap)))
    count = int(np.ceil((size - window) / step)) + 1
    return [int(start) for start in np.linspace(0, size - window, count).round()]


def gaussian_weights(patch_zyx: Shape) -> np.ndarray:
    """Weight of each voxel of a window when windows are merged: 1 at the centre, small but never 0 at the corners.

    A network sees less context towards the border of its window; σ is an eighth of the window, as in nnU-Net
    (Isensee et al., Nature Methods 2021). Shape `patch_zyx`, float32.
    """
    profiles = []
    for size in patch_zyx:
        distance = (np.arange(size) - (size - 1) / 2) / (size / 8)
        profiles.append(np.exp(-0.5 * distance**2))
    weights = np.einsum("z,y,x->zyx", *profiles)
    return np.maximum(weights / weights.max(), 1e-4).astype(np.float32)


def pad_to_patch(image_zyx: np.ndarray, patch_zyx: Shape, fill: float) -> np.ndarray:
    """Append voxels of value `fill` until no axis is shorter than the patch; the start stays where it is."""
    missing = [max(0, patch - size) for patch, size in zip(patch_zyx, image_zyx.shape, strict=True)]
    if not any(missing):
        return image_zyx
    return np.pad(image_zyx, [(0, n) for n in missing], constant_values=fill)


def window_boxes(shape_zyx: Shape, patch_zyx: Shape, overlap: float) -> list[tuple[slice, slice, slice]]:
    """The boxes of all windows over a volume that is at least as large as the patch, z slowest."""
    axes = [window_starts(size, patch, overlap) for size, patch in zip(shape_zyx, patch_zyx, strict=True)]
    return [
        (slice(z, z + patch_zyx[0]), slice(y, y + patch_zyx[1]), slice(x, x + patch_zyx[2]))
        for z, y, x in product(*axes)
    ]


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
    """Apply `network` to overlapping windows and average its probabilities with Gaussian weights.

    `image_zyx` holds HU [z, y, x] on the network's grid; it is padded with `fill` where it is smaller than the patch.
    Returns float32 probabilities [class, z, y, x] of the image's own shape.
    """
    padded = pad_to_patch(image_zyx, patch_zyx, fill)
    weights = gaussian_weights(patch_zyx)
    total = np.zeros((n_classes, *padded.shape), dtype=np.float32)
    weight = np.zeros(padded.shape, dtype=np.float32)
    for boxes in batches(window_boxes(padded.shape, patch_zyx, overlap), batch_size):
        patches = np.stack([padded[box] for box in boxes])[:, None].astype(np.float32)
        for box, probabilities in zip(boxes, network(patches), strict=True):
            total[(slice(None), *box)] += probabilities * weights
            weight[box] += weights
    total /= weight
    depth, height, width = image_zyx.shape
    return total[:, :depth, :height, :width]
