"""Resampling between the scan's grid and the network's grid, on the device that the network runs on.

Both grids have parallel axes, so linear interpolation is done along one axis after the other. The counterparts on the
CPU are `preparation.prepare_rows` and `native_grid.to_native_grid`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ctseg.geometry.resample import Box
from ctseg.geometry.volume import Grid, Shape, Volume
from ctseg.inference.native_grid import places_along, reached

WORK_BYTES = 24  # memory of resampling for each voxel of the slices read at once


@dataclass(frozen=True)
class Neighbours:
    """Indices of both neighbours of each place along an axis, and the weight of the second: tensors [place].

    `inside` is true for places in the volume, or up to half a voxel beyond its first and last voxel; None means all.
    """

    before: torch.Tensor
    after: torch.Tensor
    share: torch.Tensor
    inside: torch.Tensor | None

    @classmethod
    def of(cls, places: np.ndarray, size: int, device: torch.device) -> "Neighbours":
        """The neighbours of fractional indices along an axis of `size` voxels."""
        inside = reached(places, size)
        clipped = np.clip(places, 0, size - 1)
        before = np.floor(clipped).astype(np.int64)
        parts = before, np.minimum(before + 1, size - 1), (clipped - before).astype(np.float32)
        first, second, share = (torch.from_numpy(part).to(device) for part in parts)
        return cls(first, second, share, None if inside.all() else torch.from_numpy(inside).to(device))

    def cut(self, first: int, stop: int, offset: int = 0) -> "Neighbours":
        """The neighbours of a range of places, in a volume that begins `offset` voxels later."""
        part = slice(first, stop)
        inside = None if self.inside is None else self.inside[part]
        return Neighbours(self.before[part] - offset, self.after[part] - offset, self.share[part], inside)


def interpolated(volume: torch.Tensor, axis: int, neighbours: Neighbours, fill: float = 0.0) -> torch.Tensor:
    """Float32 values of a volume of any type, interpolated at the places along an axis; `fill` outside."""
    before = volume.index_select(axis, neighbours.before).float()
    after = volume.index_select(axis, neighbours.after).float()
    shape = [1] * volume.ndim
    shape[axis] = -1
    moved = torch.lerp(before, after, neighbours.share.view(shape))
    return moved if neighbours.inside is None else torch.where(neighbours.inside.view(shape), moved, fill)


class RowsOnDevice:
    """Rows of the network's grid, resampled from a scan and clipped to the HU window: int16 HU [z, y, x].

    The scan is copied to the device once if it takes at most `most_bytes`, else slice by slice when its rows are
    requested.
    """

    def __init__(
        self, part: Volume, grid: Grid, window_hu: tuple[float, float], device: torch.device, most_bytes: float
    ) -> None:
        """`part` and `grid` are those of `preparation.network_input`; `most_bytes` bounds the memory of resampling."""
        self._voxels, self._device = part.voxels_zyx, device
        self._low, self._high = math.ceil(window_hu[0]), math.floor(window_hu[1])
        self._fill = window_hu[0]
        places = parallel_places(grid, part.grid)
        self._places_z = places[0]
        self._z, self._y, self._x = (
            Neighbours.of(along, size, device) for along, size in zip(places, part.grid.shape_zyx, strict=True)
        )
        slice_bytes = WORK_BYTES * max(math.prod(part.grid.shape_zyx[1:]), math.prod(grid.shape_zyx[1:]))
        self._rows_at_once = max(1, int(most_bytes // slice_bytes))
        self._whole = self._copied(0, len(self._voxels)) if part.voxels_zyx.nbytes <= most_bytes else None

    def _copied(self, first: int, stop: int) -> torch.Tensor:
        """Slices [z, y, x] of the scan on the device, in the stored type."""
        slices = np.ascontiguousarray(self._voxels[first:stop])
        # torch warns of a read-only array, such as one mapped for reading, since a tensor could write to it.
        return torch.from_numpy(slices if slices.flags.writeable else slices.copy()).to(self._device)

    def __call__(self, first: int, stop: int) -> torch.Tensor:
        """The rows from `first` to before `stop`, int16 HU [z, y, x]."""
        parts = [self._resampled(row, min(row + self._rows_at_once, stop)) for row in self._starts(first, stop)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _starts(self, first: int, stop: int) -> range:
        return range(first, stop, self._rows_at_once)

    def _resampled(self, first: int, stop: int) -> torch.Tensor:
        """The rows from `first` to before `stop`, resampled at once."""
        around = np.clip(self._places_z[first:stop], 0, len(self._voxels) - 1)
        low, high = int(np.floor(around.min())), min(int(np.floor(around.max())) + 2, len(self._voxels))
        slices = self._copied(low, high) if self._whole is None else self._whole[low:high]
        moved = interpolated(slices, 0, self._z.cut(first, stop, low), self._fill)
        moved = interpolated(interpolated(moved, 1, self._y, self._fill), 2, self._x, self._fill)
        return moved.round_().clamp_(self._low, self._high).to(torch.int16)


def parallel_places(target: Grid, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fractional indices of the voxels of `target` along z, y and x of a grid with parallel axes."""
    z, y, x = (slice(0, size) for size in target.shape_zyx)
    along = [places_along(axis, target, grid, (z, y, x)).ravel() for axis in range(3)]
    a, b, c = (np.broadcast_to(found, size) for found, size in zip(along, target.shape_zyx, strict=True))
    return a, b, c


def reached_box(places_zyx: tuple[np.ndarray, np.ndarray, np.ndarray], shape_zyx: Shape) -> Box:
    """The box of voxels with places in a grid of this shape, or up to half a voxel beyond its border."""
    slices = []
    for places, size in zip(places_zyx, shape_zyx, strict=True):
        inside = np.flatnonzero(reached(places, size))
        slices.append(slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0))
    return slices[0], slices[1], slices[2]


class NativeRows:
    """Interpolates slabs of probabilities at the rows of a scan's grid, when both neighbours of a row are known."""

    def __init__(
        self, places_zyx: tuple[np.ndarray, np.ndarray, np.ndarray], shape_zyx: Shape, device: torch.device
    ) -> None:
        """`places_zyx` are those of the scan's voxels in the network's grid of `shape_zyx`; none may be outside."""
        self._z, self._y, self._x = (
            Neighbours.of(places, size, device) for places, size in zip(places_zyx, shape_zyx, strict=True)
        )
        # The later of both neighbours; places are ascending, since the axes of both grids point the same way.
        self._needed = np.minimum(np.floor(np.clip(places_zyx[0], 0, shape_zyx[0] - 1)) + 1, shape_zyx[0] - 1)
        self._plane = len(places_zyx[1]) * len(places_zyx[2])
        self._before: torch.Tensor | None = None
        self._done = 0

    def __call__(self, first: int, slab: torch.Tensor, most_bytes: float) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield first row and probabilities [class, z, y, x] of each block of rows that can be interpolated now.

        `slab` [class, z, y, x] begins at row `first` of the network's grid, directly after the slab of the last call.
        """
        known = slab if self._before is None else torch.cat([self._before, slab], dim=1)
        begin = first if self._before is None else first - 1
        ready = int(np.searchsorted(self._needed, first + slab.shape[1]))
        rows = max(1, int(most_bytes // (WORK_BYTES * len(slab) * self._plane)))
        for row in range(self._done, ready, rows):
            part = self._z.cut(row, min(row + rows, ready), begin)
            moved = interpolated(interpolated(interpolated(known, 1, part), 2, self._y), 3, self._x)
            yield row, moved
        self._done = ready
        self._before = slab[:, -1:].clone()
