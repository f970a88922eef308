"""The voxel of a case that a viewer shows first."""

import numpy as np


def focus_zyx(reference: np.ndarray | None, prediction: np.ndarray) -> tuple[int, int, int]:
    """The voxel (z, y, x) of the label nearest to its centroid in the slice with the largest area.

    Both arrays are masks or label maps `[z, y, x]`. The prediction is used if the label is missing or empty, the middle
    of the volume if both are empty.
    """
    mask = reference if reference is not None and reference.any() else prediction
    if not mask.any():
        return tuple(size // 2 for size in prediction.shape)
    depth = int(np.count_nonzero(mask, axis=(1, 2)).argmax())
    rows, columns = np.nonzero(mask[depth])
    nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
    return depth, int(rows[nearest]), int(columns[nearest])
