"""Formula for balls."""

import numpy as np


def ball_volume_mm3(diameter_mm: float) -> float:
    """Volume of a ball."""
    return np.pi / 6 * diameter_mm**3
