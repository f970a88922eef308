"""From probabilities to a label map."""

import numpy as np


def label_map(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """The most probable class of each voxel where it reaches `threshold`, else 0.

    Takes float probabilities [class, z, y, x], gives uint8 [z, y, x] with classes counted from 1.
    """
    if len(probabilities) == 1:
        return (probabilities[0] >= threshold).astype(np.uint8)
    best = probabilities.argmax(axis=0).astype(np.uint8)
    reached = probabilities.max(axis=0) >= threshold
    return np.where(reached, best + 1, 0).astype(np.uint8)
