"""Label map from class probabilities."""

import numpy as np


def label_map(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Label map uint8 [z, y, x]: the most probable class, counted from 1, if it reaches `threshold`, else 0.

    `probabilities` is float [class, z, y, x], without the background.
    """
    if len(probabilities) == 1:
        return (probabilities[0] >= threshold).astype(np.uint8)
    best = probabilities.argmax(axis=0).astype(np.uint8)
    reached = probabilities.max(axis=0) >= threshold
    return np.where(reached, best + 1, 0).astype(np.uint8)
