"""Interpolating the voxels of training patches where a rotation, a zoom or an elastic deformation puts them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.geometry.volume import Shape


@dataclass(frozen=True)
class PlaneDeformation:
    """A deformation in which planes across z stay planes: interpolation along z, and then in the plane.

    `planes` and `plane_weights` [z, 2] are the planes of the source on both sides of each of the patch, and what each
    counts; `corners` and `corner_weights` [y · x, 4] the same of the voxels of a plane.
    """

    planes: torch.Tensor
    plane_weights: torch.Tensor
    corners: torch.Tensor
    corner_weights: torch.Tensor
    patch_zyx: Shape

    @classmethod
    def of(cls, matrix: np.ndarray, source_zyx: Shape, patch_zyx: Shape) -> "PlaneDeformation":
        """The deformation by a matrix that leaves z alone; see `affine_matrix`. Beyond the border lies its voxel."""
        z, y, x = map(_centres, patch_zyx)
        depth, height, width = source_zyx
        columns, of_columns = _neighbours((matrix[0, 1] * y[:, None] + matrix[0, 0] * x).ravel(), width)
        rows, of_rows = _neighbours((matrix[1, 1] * y[:, None] + matrix[1, 0] * x).ravel(), height)
        planes, of_planes = _neighbours(matrix[2, 2] * z, depth)
        corners = (rows[:, :, None] * width + columns[:, None, :]).reshape(-1, 4)
        of_corners = (of_rows[:, :, None] * of_columns[:, None, :]).reshape(-1, 4)
        found = [torch.from_numpy(part) for part in (planes, of_planes, corners, of_corners)]
        return cls(found[0], found[1], found[2], found[3], patch_zyx)

    def to(self, device: torch.device) -> "PlaneDeformation":
        """The same on another device."""
        names = ("planes", "plane_weights", "corners", "corner_weights")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def planes_of(self, first: int, stop: int) -> slice:
        """The planes of the patch that see anything of the source's from `first` to before `stop`; they follow on."""
        reached = torch.nonzero(((self.planes >= first) & (self.planes < stop)).any(dim=1))[:, 0]
        return slice(int(reached[0]), int(reached[-1]) + 1) if len(reached) else slice(0, 0)

    def __call__(self, volume: torch.Tensor, first: int | None = None) -> torch.Tensor:
        """Interpolate [z, y, x] of any type to a float32 patch, in which z is the axis that runs fastest in memory.

        With `first`, `volume` is the source's planes from there on, and only `planes_of` them are given back. Rows of
        memory are summed up, planes and then, transposed, the same voxel of all planes: vector instructions do it in a
        tenth of the time of torch's `grid_sample`, which gathers voxels one by one.
        """
        planes, weights = self.planes, self.plane_weights
        if first is not None:
            part = self.planes_of(first, first + len(volume))
            if part.start == part.stop:
                return torch.zeros(0, *self.patch_zyx[1:], device=volume.device)
            planes = self.planes[part] - first
            weights = self.plane_weights[part] * ((planes >= 0) & (planes < len(volume)))
            planes = planes.clamp(0, len(volume) - 1)
        along_z = _weighted_rows(planes, weights, volume.flatten(1).float())
        in_plane = _weighted_rows(self.corners, self.corner_weights, _transposed(along_z))
        return in_plane.view(*self.patch_zyx[1:], -1).movedim(-1, 0)


def _weighted_rows(indices: torch.Tensor, weights: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The sum of the rows at each of [n, k] indices, each times its weight."""
    return F.embedding_bag(indices, rows, per_sample_weights=weights, mode="sum")


def _transposed(rows: torch.Tensor) -> torch.Tensor:
    """The transpose of [n, m] in memory of its own; as a change of an image's layout it takes a third of the time."""
    return rows[None, :, None].contiguous(memory_format=torch.channels_last)[0, :, 0].T


def _centres(size: int) -> np.ndarray:
    """Where the centres of `size` voxels lie along an axis from −1 to 1."""
    return (2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1


def _neighbours(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For n places in −1…1 along an axis of `size` voxels: the voxels on both sides [n, 2], and their weights."""
    indices = np.clip(((places + 1) * np.float32(size) - 1) / 2, 0, size - 1)
    before = np.floor(indices)
    share = indices - before
    after = np.minimum(before + 1, size - 1)
    return np.stack([before, after], axis=1).astype(np.int64), np.stack([1 - share, share], axis=1)


@dataclass(frozen=True)
class FreeDeformation:
    """Any deformation: where each voxel of a patch lies in the source, [z, y, x, 3] with x, y, z in −1…1."""

    places: torch.Tensor

    @classmethod
    def of(cls, matrix: np.ndarray, patch_zyx: Shape, shifts: torch.Tensor | None = None) -> "FreeDeformation":
        """The deformation by a matrix, see `affine_matrix`, and by shifts [1, z, y, x, 3] of each voxel."""
        to_xyz = torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))
        z, y, x = (torch.from_numpy(_centres(size))[:, None] for size in patch_zyx)
        in_plane = (y * to_xyz[:, 1])[:, None] + x * to_xyz[:, 0]
        places = (z * to_xyz[:, 2])[:, None, None] + in_plane
        return cls(places if shifts is None else places + shifts[0])

    def to(self, device: torch.device) -> "FreeDeformation":
        """The same on another device."""
        return FreeDeformation(self.places.to(device))

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Interpolate [z, y, x] of any type linearly to a float32 patch. Beyond the border lies its voxel."""
        # Plane by plane of the patch, since torch shares a batch among the cores, but not the voxels of one of it.
        planes = volume.float().expand(len(self.places), 1, *volume.shape)
        return F.grid_sample(planes, self.places[:, None], padding_mode="border", align_corners=False)[:, 0, 0]
