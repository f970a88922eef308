"""Label map from probabilities, on the device; the counterpart of `label_map.label_map`."""

import torch


def label_map(probabilities: torch.Tensor, threshold: float) -> torch.Tensor:
    """The most probable class of each voxel if its probability reaches `threshold`, else 0.

    Takes float probabilities [class, z, y, x], returns uint8 [z, y, x] with classes counted from 1.
    """
    highest, best = probabilities.max(dim=0)
    return (best.to(torch.uint8) + 1) * (highest >= threshold)
