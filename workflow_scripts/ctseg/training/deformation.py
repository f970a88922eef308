"""Interpolation of training patches under a rotation, a zoom and an elastic deformation."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.geometry.volume import Shape


@dataclass(frozen=True)
class Deformation:
    """Deformation of a patch: position of each voxel in the source, float32 [z, y, x, 3] with x, y, z in −1…1."""

    places: torch.Tensor

    @classmethod
    def of(cls, matrix: np.ndarray, patch_zyx: Shape, shifts: torch.Tensor | None = None) -> "Deformation":
        """Deformation by a (3, 3) matrix, see `affine_matrix`, and by displacements of the voxels [1, z, y, x, 3]."""
        to_xyz = torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))
        z, y, x = (torch.from_numpy(_centres(size))[:, None] for size in patch_zyx)
        in_plane = (y * to_xyz[:, 1])[:, None] + x * to_xyz[:, 0]
        places = (z * to_xyz[:, 2])[:, None, None] + in_plane
        return cls(places if shifts is None else places + shifts[0])

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Interpolate a volume [z, y, x] of any type linearly to a float32 patch [z, y, x].

        Outside of the volume the nearest border voxel counts.
        """
        # The planes of the patch form the batch: torch distributes the items of a batch over cores, not the voxels.
        planes = volume.float().expand(len(self.places), 1, *volume.shape)
        return F.grid_sample(planes, self.places[:, None], padding_mode="border", align_corners=False)[:, 0, 0]


def _centres(size: int) -> np.ndarray:
    """Centres of `size` voxels along an axis from −1 to 1, float32."""
    return (2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1
