"""Which voxel of a case to show first."""

import numpy as np


def focus_zyx(reference: np.ndarray | None, prediction: np.ndarray) -> tuple[int, int, int]:
    """The voxel to show: the middle of the slice with most target, by label if there is one, else of the volume."""
    mask = reference if reference is not None and reference.any() else prediction
    if not mask.any():
        return tuple(size // 2 for size in prediction.shape)
    depth = int(mask.sum(axis=(1, 2)).argmax())
    rows, columns = np.nonzero(mask[depth])
    nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
    return depth, int(rows[nearest]), int(columns[nearest])
