"""Simulated lung diseases that do not move the pleura, so that the true lung field stays the same.

Each function changes the HU of a `Body` in place and returns the mask of the dense parts it added, boolean `[z, y, x]`.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ctseg.lung_training.bodies import Body
from ctseg.lung_training.random_fields import SPACING_MM, blend, lump, smooth_noise, soft

Sickness = Callable[[np.random.Generator, Body], np.ndarray]
SOLID_HU = -200  # voxels that become denser than this count as added
# Density of voxels at the pleura that are taken for a mixture of lung and tissue; denser ones may be fat.
MIXED_HU = (-500, -120)
TISSUE_HU, LUNG_HU = 50, -800  # from which the share of lung in such a voxel is estimated


def _one_or_both(rng: np.random.Generator, body: Body) -> np.ndarray:
    """The mask of one lung, or of both."""
    return body.sides > 0 if rng.random() < 0.3 else body.sides == rng.integers(1, 3)


def _tissue_hu(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Random HU of soft tissue with a weak texture, `[z, y, x]`."""
    texture = smooth_noise(rng, body.hu.shape, 15.0)
    return np.float32(rng.uniform(-10, 90)) + np.float32(rng.uniform(2, 14)) * texture


def masses(rng: np.random.Generator, body: Body) -> np.ndarray:
    """One to five nodules or masses, from millimetres to half a lung, some with a cavity or a ground-glass rim."""
    added = np.zeros(body.hu.shape, bool)
    lungs = body.sides > 0
    if not lungs.any():
        return added
    places = np.argwhere(lungs)
    depth = ndimage.distance_transform_edt(lungs, sampling=SPACING_MM)[lungs]
    for _ in range(rng.integers(1, 6)):
        radius = float(np.exp(rng.uniform(np.log(3), np.log(65))))
        # In 60 % of the draws places near the pleura are strongly preferred.
        weights = (depth < 8) + 0.02 if rng.random() < 0.6 else np.ones(len(depth))
        centre = places[rng.choice(len(places), p=weights / weights.sum())]
        own = body.sides == body.sides[tuple(centre)]
        distance = lump(rng, body.hu.shape, centre, radius, rng.uniform(0.05, 0.3))
        inside = own & (distance < 0)
        if rng.random() < 0.25:
            blend(body.hu, soft(distance - rng.uniform(4, 15), 8.0) * own, rng.uniform(-650, -350))
        blend(body.hu, soft(distance) * own, _tissue_hu(rng, body))
        if radius > 15 and rng.random() < 0.2:
            blend(body.hu, soft(distance + rng.uniform(5, 0.7 * radius)) * own, rng.choice([-980.0, 10.0]))
        added |= inside
    return added


def consolidation(rng: np.random.Generator, body: Body) -> np.ndarray:
    """A region of filled lung tissue or of ground glass, often with air bronchograms."""
    lungs = _one_or_both(rng, body)
    noise = smooth_noise(rng, body.hu.shape, rng.uniform(30, 110))
    rough = smooth_noise(rng, body.hu.shape, 14.0)
    share = np.clip((noise + rng.uniform(0, 0.4) * rough - rng.uniform(-0.4, 0.9)) / rng.uniform(0.05, 0.6), 0, 1)
    share = share.astype(np.float32) * lungs
    density = rng.uniform(0.25, 0.75) if rng.random() < 0.3 else 1.0
    blend(body.hu, share * np.float32(density), np.maximum(_tissue_hu(rng, body), body.hu))
    if rng.random() < 0.6:
        _air_bronchograms(rng, body, share > 0.7)
    return (share > 0.5) if density == 1 else np.zeros(lungs.shape, bool)


def _air_bronchograms(rng: np.random.Generator, body: Body, where: np.ndarray) -> None:
    """Paint thin lines of air inside `where`: the intersection of the zero surfaces of two smooth random fields."""
    first, second = (smooth_noise(rng, where.shape, rng.uniform(18, 30)) for _ in range(2))
    lines = np.maximum(np.abs(first), np.abs(second)) < rng.uniform(0.12, 0.28)
    share = ndimage.gaussian_filter((lines & where).astype(np.float32), 0.5)
    blend(body.hu, np.clip(share * 1.3, 0, 1) * where, rng.uniform(-950, -700))


def effusion(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Fluid that follows gravity, in half of the cases with a meniscus; the adjacent lung is usually collapsed."""
    added = np.zeros(body.hu.shape, bool)
    for side in (1, 2) if rng.random() < 0.4 else (int(rng.integers(1, 3)),):
        lung = body.sides == side
        if lung.sum() < 100:
            continue
        z, y = np.nonzero(lung)[:2]
        low, high = np.percentile(y, [2, 98])
        height = (np.arange(lung.shape[1], dtype=np.float32) - low) / max(high - low, 1)
        height = height if body.gravity > 0 else 1 - height
        deep = 1 - (np.arange(lung.shape[0], dtype=np.float32) - z.min()) / max(np.ptp(z), 1)
        level = height[None, :, None] + rng.uniform(0, 0.7) * (deep[:, None, None] - 0.5)
        level = level + 0.04 * smooth_noise(rng, lung.shape, 60.0)
        if rng.random() < 0.5:  # a meniscus: fluid climbs along the wall
            depth = ndimage.distance_transform_edt(lung, sampling=SPACING_MM).astype(np.float32)
            level = level + rng.uniform(0.1, 0.5) * np.exp(-depth / rng.uniform(5, 15))
        above_mm = (rng.uniform(0.1, 0.95) - level) * (high - low) * SPACING_MM
        if rng.random() < 0.7:
            blend(body.hu, soft(above_mm - rng.uniform(3, 40), 6.0) * lung, _tissue_hu(rng, body) + 20)
        blend(body.hu, soft(above_mm) * lung, rng.uniform(-15, 35))
        added |= lung & (above_mm < 0)
    return added


def thick_pleura(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Plates of soft tissue along the pleura, calcified in a tenth of the cases."""
    lungs = _one_or_both(rng, body)
    depth = ndimage.distance_transform_edt(lungs, sampling=SPACING_MM).astype(np.float32)
    noise = smooth_noise(rng, lungs.shape, rng.uniform(25, 80))
    distance = depth - rng.uniform(3, 25) * np.clip(noise + rng.uniform(-0.6, 0.8), 0, 1.5)
    blend(body.hu, soft(distance) * lungs, 500.0 if rng.random() < 0.1 else _tissue_hu(rng, body))
    return lungs & (distance < 0)


def atelectasis(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Airless part of one lung behind an oblique plane, or a whole airless lung."""
    lung = body.sides == rng.integers(1, 3)
    if lung.sum() < 100:
        return np.zeros(lung.shape, bool)
    direction = rng.normal(size=3) * (1.2, 1.0, 0.6)
    direction /= np.linalg.norm(direction)
    z, y, x = (np.arange(size, dtype=np.float32) for size in lung.shape)
    along = direction[0] * z[:, None, None] + direction[1] * y[None, :, None] + direction[2] * x[None, None, :]
    along = (along * SPACING_MM + 6 * smooth_noise(rng, lung.shape, 50.0)).astype(np.float32)
    share = rng.choice([rng.uniform(0.05, 0.6), 1.0], p=[0.8, 0.2])
    distance = along - np.float32(np.quantile(along[lung], share) + (20 if share == 1 else 0))
    blend(body.hu, soft(distance, 5.0) * lung, _tissue_hu(rng, body) + 15)
    added = lung & (distance < 0)
    if rng.random() < 0.5:
        _air_bronchograms(rng, body, added)
    return added


def pneumothorax(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Air between pleura and lung on the upper side, and a denser lung below."""
    lung = body.sides == rng.integers(1, 3)
    depth = ndimage.distance_transform_edt(lung, sampling=SPACING_MM).astype(np.float32)
    y = np.nonzero(lung)[1]
    if y.size < 100:
        return np.zeros(lung.shape, bool)
    upper = 1 - (np.arange(lung.shape[1], dtype=np.float32) - y.min()) / max(np.ptp(y), 1)
    upper = upper if body.gravity > 0 else 1 - upper
    distance = depth - np.float32(rng.uniform(5, 70)) * (upper[None, :, None] - rng.uniform(0, 0.5))
    body.hu += lung * np.float32(rng.uniform(0, 400)) * (body.hu < -300)
    blend(body.hu, soft(distance) * lung, -990.0)
    return np.zeros(lung.shape, bool)  # nothing dense was added


def damaged_tissue(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Emphysema with bullae, fibrosis, or poorly inflated lungs."""
    lungs = (body.sides > 0) & (body.hu < -300)
    kind = rng.integers(3)
    if kind == 0:
        noise = smooth_noise(rng, lungs.shape, rng.uniform(12, 40))
        blend(body.hu, np.clip((noise - rng.uniform(0, 1)) / 0.3, 0, 1).astype(np.float32) * lungs, -985.0)
    elif kind == 1:
        noise = np.abs(smooth_noise(rng, lungs.shape, rng.uniform(4, 10)))
        where = smooth_noise(rng, lungs.shape, 70.0) > rng.uniform(-1, 0.5)
        body.hu += np.float32(rng.uniform(50, 350)) * noise * (lungs & where)
    else:
        body.hu += lungs * np.float32(rng.uniform(50, 350))
    return np.zeros(lungs.shape, bool)


SICKNESSES: dict[str, Sickness] = {
    "masses": masses,
    "consolidation": consolidation,
    "effusion": effusion,
    "thick pleura": thick_pleura,
    "atelectasis": atelectasis,
    "pneumothorax": pneumothorax,
    "damaged tissue": damaged_tissue,
}
WEIGHTS = np.array([0.24, 0.16, 0.17, 0.19, 0.12, 0.04, 0.08])


def make_sick(rng: np.random.Generator, body: Body, name: str) -> np.ndarray:
    """Add one sickness, in place; return the mask of its voxels that became denser than `SOLID_HU`."""
    before = body.hu.copy()
    added = SICKNESSES[name](rng, body)
    change_rim(body, before)
    return added & (before < SOLID_HU) & (body.hu > SOLID_HU)


def change_rim(body: Body, before_hu: np.ndarray) -> None:
    """Change the voxels outside of the pleura that contain some lung in proportion to the lung beside them, in place.

    Otherwise a dark line of voxels half filled with air would show the pleura beside fluid or tumour.
    """
    lungs = body.sides > 0
    changes = ndimage.uniform_filter((body.hu - before_hu) * lungs, 3)
    lung_beside = ndimage.uniform_filter(lungs.astype(np.float32), 3)
    low, high = MIXED_HU
    rim = ~lungs & (lung_beside > 0.01) & (before_hu > low) & (before_hu < high)
    share = (TISSUE_HU - before_hu[rim]) / (TISSUE_HU - LUNG_HU)
    body.hu[rim] += share * changes[rim] / lung_beside[rim]
