"""From probabilities to a label map, on the device; the twin of `label_map.label_map`."""

import torch


def label_map(probabilities: torch.Tensor, threshold: float) -> torch.Tensor:
    """The most probable class of each voxel where it reaches `threshold`, else 0.

    Takes float probabilities [class, z, y, x], gives uint8 [z, y, x] with classes counted from 1.
    """
    highest, best = probabilities.max(dim=0)
    return (best.to(torch.uint8) + 1) * (highest >= threshold)
