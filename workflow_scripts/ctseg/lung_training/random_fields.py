"""Smooth random fields and shapes on the grid that the lung network works on."""

import numpy as np
from scipy import ndimage

from ctseg.geometry.volume import Shape

SPACING_MM = 3.0  # voxel size in this package
STEP = 4  # voxels between the drawn values of a smooth field


def smooth_noise(rng: np.random.Generator, shape_zyx: Shape, length_mm: float) -> np.ndarray:
    """Random field `[z, y, x]` with mean 0, a standard deviation of about 1, and structures about `length_mm` wide.

    Structures below 12 mm are drawn for each voxel, larger ones for every fourth voxel and interpolated.
    """
    step = STEP if length_mm >= STEP * SPACING_MM else 1
    margin = 4 if step > 1 else 0
    drawn = rng.standard_normal([size // step + margin for size in shape_zyx], dtype=np.float32)
    drawn = ndimage.gaussian_filter(drawn, length_mm / SPACING_MM / step / 2.5, truncate=3.0, mode="wrap")
    drawn /= drawn.std() + np.float32(1e-6)
    if step == 1:
        return drawn
    field = drawn
    for axis, size in enumerate(shape_zyx):
        at = 1 + np.arange(size, dtype=np.float32) / step
        low = at.astype(int)
        weight = (at - low).reshape([-1 if d == axis else 1 for d in range(3)])
        field = field.take(low, axis) * (1 - weight) + field.take(low + 1, axis) * weight
    return field


def millimetres(shape_zyx: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, y, x of the voxels in mm from the middle of the grid, as float32 arrays that broadcast to its shape."""
    z, y, x = ((np.arange(size, dtype=np.float32) - (size - 1) / 2) * SPACING_MM for size in shape_zyx)
    return z[:, None, None], y[None, :, None], x[None, None, :]


def lump(
    rng: np.random.Generator, shape_zyx: Shape, centre_zyx: np.ndarray, radius_mm: float, roughness: float
) -> np.ndarray:
    """Signed distance in mm, negative inside, to a lump around a voxel: an ellipsoid with an uneven surface."""
    stretch = np.exp(rng.normal(0, 0.2, 3)).astype(np.float32)
    offsets = [
        ((np.arange(size) - centre) * SPACING_MM * factor).reshape([-1 if d == axis else 1 for d in range(3)])
        for axis, (size, centre, factor) in enumerate(zip(shape_zyx, centre_zyx, stretch, strict=True))
    ]
    distance = np.sqrt(sum((offset * offset).astype(np.float32) for offset in offsets)) - np.float32(radius_mm)
    if radius_mm < 2 * SPACING_MM:
        return distance
    return distance + np.float32(roughness * radius_mm) * smooth_noise(rng, shape_zyx, max(12.0, radius_mm))


def soft(distance_mm: np.ndarray, width_mm: float = SPACING_MM) -> np.ndarray:
    """Share of each voxel inside a shape, from its signed distance; the edge of the shape is `width_mm` wide."""
    return np.clip(np.float32(0.5) - distance_mm / np.float32(width_mm), 0, 1)


def blend(hu: np.ndarray, share: np.ndarray, value: float | np.ndarray) -> None:
    """Mix `value` into `hu`, in place, by the share of each voxel."""
    hu += share * (value - hu)
