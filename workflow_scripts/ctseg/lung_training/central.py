"""Hilar tumours: they grow from the lung into the mediastinum, and the lung field has to contain them completely."""

import numpy as np
from scipy import ndimage

from ctseg.lung_training.bodies import Body
from ctseg.lung_training.random_fields import SPACING_MM, blend, lump, smooth_noise, soft

RADII_MM = (9.0, 38.0)
REACH_MM = (6.0, 28.0)  # range of the largest distance of a tumour outside of the lung
BONE_HU, AIRWAY_HU = 450, -500


def hilar_places(body: Body, side: int) -> np.ndarray:
    """Voxels (n, 3) z, y, x where a hilar tumour may start: near the inner surface of a lung, at middle height."""
    lung, other = body.sides == side, (body.sides > 0) & (body.sides != side)
    if lung.sum() < 1000 or not other.any():
        return np.zeros((0, 3), int)
    near, far = (ndimage.distance_transform_edt(~mask, sampling=SPACING_MM) for mask in (lung, other))
    z, y, x = np.nonzero(lung)
    places = np.argwhere((near > 0) & (near < 7) & (far < 95) & (body.hu > -200))
    low, high = np.percentile(z, [30, 78])
    front, back = np.percentile(y, [25, 65])
    inner = np.sign(np.nonzero(other)[2].mean() - x.mean())
    within = (places[:, 0] >= low) & (places[:, 0] <= high) & (places[:, 1] >= front) & (places[:, 1] <= back)
    return places[within & ((places[:, 2] - x.mean()) * inner > 0)]


def hilar_mass(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Add a hilar tumour, in place, and include it in `sides`; return its mask, boolean `[z, y, x]`."""
    added = np.zeros(body.hu.shape, bool)
    side = int(rng.integers(1, 3))
    places = hilar_places(body, side)
    if not len(places):
        return added
    centre = places[rng.integers(len(places))]
    radius = float(np.exp(rng.uniform(*np.log(RADII_MM))))
    distance = lump(rng, body.hu.shape, centre, radius, rng.uniform(0.05, 0.3))
    outside_mm = ndimage.distance_transform_edt(body.sides != side, sampling=SPACING_MM)
    free = (body.sides == side) | ((body.sides == 0) & (outside_mm < rng.uniform(*REACH_MM)) & (body.hu < BONE_HU))
    if rng.random() < 0.7:  # the bronchi stay open
        free &= (body.sides > 0) | (body.hu > AIRWAY_HU)
    inside = free & (distance < 0)
    painted = soft(distance) * free
    if rng.random() < 0.5:  # the vessels in it stay bright
        painted *= body.hu < rng.uniform(60, 150)
    texture = smooth_noise(rng, body.hu.shape, 15.0)
    blend(body.hu, painted.astype(np.float32), rng.uniform(10, 80) + rng.uniform(2, 10) * texture)
    body.sides[inside] = side
    return inside
