"""Tiny cases for tests of sampling and training."""

import numpy as np

from ctseg.foreground_search import find_foreground
from ctseg.sampling import TrainingCase


def make_case(seed, size=20, radius=4, second_class=False):
    """Noise around −500 HU with a ball of 100 HU (class 1), and a single voxel of class 2 if asked for."""
    rng = np.random.default_rng(seed)
    image = (-500 + 30 * rng.standard_normal((size, size, size))).round().astype(np.int16)
    centre = size / 2 + rng.uniform(-size / 8, size / 8, 3)
    distance = np.linalg.norm(np.indices(image.shape) - centre[:, None, None, None], axis=0)
    label = (distance < radius).astype(np.uint8)
    image[label > 0] = 100
    if second_class:
        label[tuple(centre.astype(int))] = 2
    return TrainingCase(f"case-{seed}", image, label, find_foreground(label, 2 if second_class else 1, label.size, 0))
