"""Simulated scan of a body: metal streaks, field of view, kernel and noise; int16 HU."""

import numpy as np
from scipy import ndimage

from ctseg.geometry.volume import AIR_HU
from ctseg.lung_training.bodies import Body

HIGHEST_HU = 3071
MOST_NOISE_HU = 90.0  # range of the noise's standard deviation at the grid's spacing, above 3 HU


def scan(
    rng: np.random.Generator, body: Body, added: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (int16 HU), sides and added (both uint8) of the scanned part of the body, all `[z, y, x]`."""
    hu = body.hu.copy()
    if rng.random() < 0.12:
        add_metal(rng, hu)
    sigma = rng.uniform(0, 0.6), rng.uniform(0, 0.6)
    if rng.random() < 0.2:
        sigma = rng.uniform(0, 1.2), sigma[1]  # thick slices
    hu = ndimage.gaussian_filter(hu, (sigma[0], sigma[1], sigma[1]), truncate=3.0)
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = ndimage.gaussian_filter(noise, rng.uniform(0.3, 0.8), truncate=2.0)
    level = MOST_NOISE_HU * rng.random() ** 3 + 3
    hu += noise * np.float32(level / (noise.std() + 1e-6))
    hu += np.float32(rng.normal(0, 8))
    box, outside = field_of_view(rng, hu.shape, body.sides)
    hu = hu[box]
    hu[np.broadcast_to(outside, hu.shape)] = AIR_HU
    image = np.clip(np.rint(hu), AIR_HU, HIGHEST_HU).astype(np.int16)
    sides = body.sides[box] * ~outside
    seen = np.zeros_like(sides) if added is None else (added[box] & (sides > 0)).astype(np.uint8)
    return image, np.ascontiguousarray(sides), np.ascontiguousarray(seen)


def add_metal(rng: np.random.Generator, hu: np.ndarray) -> None:
    """Add one to three pieces of metal, each with bright and dark streaks in its slices, in place."""
    places = np.argwhere(hu > 0)
    if not len(places):
        return
    for _ in range(rng.integers(1, 4)):
        z, y, x = places[rng.integers(len(places))]
        thick = int(rng.integers(1, 10))
        part = hu[max(z - thick, 0) : z + thick]
        dy, dx = np.ogrid[: hu.shape[1], : hu.shape[2]]
        distance = np.hypot(dy - y, dx - x).astype(np.float32)
        angle = np.arctan2(dy - y, dx - x)
        waves = np.cos(angle * rng.integers(3, 14) + rng.uniform(0, 6)) ** 3
        part += (rng.uniform(100, 700) * waves * np.exp(-distance / rng.uniform(8, 40))).astype(np.float32)
        part[:, distance < rng.uniform(0.8, 3)] = HIGHEST_HU


def field_of_view(
    rng: np.random.Generator, shape_zyx: tuple[int, ...], sides: np.ndarray
) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """The reconstructed box, and the mask outside of the circular field of view in it, boolean `[1, y, x]`."""
    ends = [0, shape_zyx[0]]
    if rng.random() < 0.5:
        ends[0] = int(rng.integers(0, shape_zyx[0] // 2))
    if rng.random() < 0.5:
        ends[1] = int(rng.integers(ends[0] + 16, shape_zyx[0] + 1)) if ends[0] + 16 < shape_zyx[0] else shape_zyx[0]
    where = np.argwhere(sides.any(axis=0))
    z, y, x = slice(*ends), slice(0, shape_zyx[1]), slice(0, shape_zyx[2])
    if rng.random() < 0.5 and len(where):  # a box around the lungs, which may cut body and lungs
        (y0, x0), (y1, x1) = where.min(axis=0), where.max(axis=0) + 1
        y = slice(max(0, y0 + int(rng.integers(-25, 4))), min(shape_zyx[1], y1 + int(rng.integers(-3, 25))))
        x = slice(max(0, x0 + int(rng.integers(-25, 4))), min(shape_zyx[2], x1 + int(rng.integers(-3, 25))))
    height, width = y.stop - y.start, x.stop - x.start
    outside = np.zeros((1, height, width), bool)
    if rng.random() < 0.5:
        dy, dx = np.ogrid[:height, :width]
        radius = max(height, width) / 2 * rng.uniform(0.95, 1.25)
        outside[0] = np.hypot(dy - height / 2, dx - width / 2) > radius
    return (z, y, x), outside
