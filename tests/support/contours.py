"""Contours of simple shapes, in mm."""

import numpy as np


def ring(depth: float, radius: float, centre_xy: tuple[float, float] = (30.1, 29.7), points: int = 60) -> np.ndarray:
    """A circle in mm, at a depth in slices."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = centre_xy[0] + radius * np.cos(angle), centre_xy[1] + radius * np.sin(angle)
    return np.column_stack([x, y, np.full(points, 2.0 * depth)])
