"""Interpolating the voxels of training patches where a rotation, a zoom or an elastic deformation puts them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.geometry.volume import Shape


@dataclass(frozen=True)
class Deformation:
    """A deformation: where each voxel of a patch lies in the source, [z, y, x, 3] with x, y, z in −1…1."""

    places: torch.Tensor

    @classmethod
    def of(cls, matrix: np.ndarray, patch_zyx: Shape, shifts: torch.Tensor | None = None) -> "Deformation":
        """The deformation by a matrix, see `affine_matrix`, and by shifts [1, z, y, x, 3] of each voxel."""
        to_xyz = torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))
        z, y, x = (torch.from_numpy(_centres(size))[:, None] for size in patch_zyx)
        in_plane = (y * to_xyz[:, 1])[:, None] + x * to_xyz[:, 0]
        places = (z * to_xyz[:, 2])[:, None, None] + in_plane
        return cls(places if shifts is None else places + shifts[0])

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Interpolate [z, y, x] of any type linearly to a float32 patch. Beyond the border lies its voxel."""
        # Plane by plane of the patch, since torch shares a batch among the cores, but not the voxels of one of it.
        planes = volume.float().expand(len(self.places), 1, *volume.shape)
        return F.grid_sample(planes, self.places[:, None], padding_mode="border", align_corners=False)[:, 0, 0]


def _centres(size: int) -> np.ndarray:
    """Where the centres of `size` voxels lie along an axis from −1 to 1."""
    return (2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1
