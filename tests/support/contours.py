"""Contours of simple shapes."""

import numpy as np


def ring(depth: float, radius: float, centre_xy: tuple[float, float] = (30.1, 29.7), points: int = 60) -> np.ndarray:
    """Circle (n, 3) of x, y, z in mm; `depth` is in slices of 2 mm."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = centre_xy[0] + radius * np.cos(angle), centre_xy[1] + radius * np.sin(angle)
    return np.column_stack([x, y, np.full(points, 2.0 * depth)])


def circle(radius: float, centre_yx: tuple[float, float], points: int = 400) -> np.ndarray:
    """Circle (n, 2) of y, x in pixels."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([centre_yx[0] + radius * np.sin(angles), centre_yx[1] + radius * np.cos(angles)], axis=1)


def box(low: float, high: float) -> np.ndarray:
    """Square (4, 2) of y, x in pixels, with both coordinates from `low` to `high`."""
    return np.array([[low, low], [low, high], [high, high], [high, low]], dtype=float)
