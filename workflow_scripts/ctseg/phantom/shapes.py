"""Shapes on a grid: coordinates, signed distances and partial volumes.

A shape is a signed distance in mm, negative inside. Arrays are `[z, y, x]`; points and sizes are x, y, z in mm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

Point = tuple[float, float, float]
Box = tuple[slice, slice, slice]
BATCH_VOXELS = 100_000  # computed at once: arrays of this size stay in the processor's cache


@dataclass(frozen=True)
class Axes:
    """The coordinates of voxel centres in mm, ascending, one float32 array per axis."""

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """The number of voxels along z, y, x."""
        return self.z.size, self.y.size, self.x.size

    def box(self, low_xyz_mm: Sequence[float] | np.ndarray, high_xyz_mm: Sequence[float] | np.ndarray) -> Box:
        """Slices of the voxels with centres between two corners; empty slices outside the grid."""
        axes = (self.z, self.y, self.x)
        ends = zip(axes, tuple(low_xyz_mm)[::-1], tuple(high_xyz_mm)[::-1], strict=True)
        z, y, x = (
            slice(*np.searchsorted(axis, np.array([low, high], np.float32)).tolist()) for axis, low, high in ends
        )
        return z, y, x

    def open(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z of a box as arrays that broadcast to its `[z, y, x]` shape."""
        return self.x[None, None, box[2]], self.y[None, box[1], None], self.z[box[0], None, None]


def smooth_max(first: np.ndarray, second: np.ndarray, width_mm: float) -> np.ndarray:
    """The intersection of two shapes, its edge rounded over `width_mm`; never less than the larger distance."""
    overlap = np.maximum(np.float32(width_mm) - np.abs(first - second), 0)
    return np.maximum(first, second) + overlap * overlap * np.float32(0.25 / width_mm)


def smooth_min(first: np.ndarray, second: np.ndarray, width_mm: float) -> np.ndarray:
    """The union of two shapes, the edge between them rounded over `width_mm`."""
    return -smooth_max(-first, -second, width_mm)


def ellipsoid(offsets: Sequence[np.ndarray], radii_mm: Sequence[float], power: float = 2.0) -> np.ndarray:
    """Signed distance (along the ray from the centre) to a superellipsoid; `offsets` are coordinates from its centre.

    Two offsets and radii describe a cylinder.
    """
    pairs = list(zip(offsets, radii_mm, strict=True))
    level = sum(np.abs(offset / radius) ** np.float32(power) for offset, radius in pairs) ** np.float32(1 / power)
    length = np.sqrt(sum(offset * offset for offset in offsets))
    return np.where(level > 0.05, length * (1 - 1 / np.maximum(level, 0.05)), -np.float32(min(radii_mm)))


def coverage(distance_mm: np.ndarray, ramp_mm: float) -> np.ndarray:
    """The share of a voxel of width `ramp_mm` that a shape fills, from the signed distance of the voxel's centre."""
    return np.clip(np.float32(0.5) - distance_mm * np.float32(1 / ramp_mm), 0, 1)


def paint(hu: np.ndarray, share: np.ndarray, value_hu: float | np.ndarray) -> None:
    """Mix `value_hu` into `hu`, in place, by the share of each voxel that it fills."""
    hu += share * (value_hu - hu)


@dataclass(frozen=True, eq=False)
class Tubes:
    """Straight, tapering tubes with round ends: (n, 3) end points and (n,) radii at them."""

    start_xyz_mm: np.ndarray
    end_xyz_mm: np.ndarray
    start_radius_mm: np.ndarray
    end_radius_mm: np.ndarray

    @classmethod
    def line(cls, points_xyz_mm: Sequence[Sequence[float]] | np.ndarray, radii_mm: Sequence[float]) -> "Tubes":
        """Tubes from point to point, with a radius at each."""
        points, radii = np.array(points_xyz_mm, np.float32), np.array(radii_mm, np.float32)
        return cls(points[:-1], points[1:], radii[:-1], radii[1:])

    @classmethod
    def join(cls, parts: Sequence["Tubes"]) -> "Tubes":
        """All tubes of several sets."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def grown(self, margin_mm: float) -> "Tubes":
        """The tubes with `margin_mm` more radius."""
        return replace(
            self, start_radius_mm=self.start_radius_mm + margin_mm, end_radius_mm=self.end_radius_mm + margin_mm
        )

    def take(self, which: np.ndarray) -> "Tubes":
        """Some of the tubes, by index."""
        return Tubes(*(getattr(self, field.name)[which] for field in fields(self)))

    def filled(self, xyz: Sequence[np.ndarray], ramp_mm: float) -> np.ndarray:
        """Share of each voxel that a tube fills, for each of the n tubes in its own box: (n, z, y, x).

        `xyz` are the coordinates of the n boxes, broadcasting to (n, z, y, x). A tube thinner than a voxel never fills
        a voxel: the share on its axis is that of its cross-section.
        """
        start, along = self.start_xyz_mm.T, (self.end_xyz_mm - self.start_xyz_mm).T
        length2 = _per_tube(np.maximum((along**2).sum(axis=0), 1e-6))
        offsets = [axis - _per_tube(s) for axis, s in zip(xyz, start, strict=True)]
        projection = sum(offset * _per_tube(d) for offset, d in zip(offsets, along, strict=True))
        t = np.clip(projection / length2, 0, 1)
        squared = sum(offset * offset for offset in offsets) - t * (2 * projection - t * length2)
        radius = _per_tube(self.start_radius_mm) + t * _per_tube(self.end_radius_mm - self.start_radius_mm)
        thin = np.minimum(radius * radius * np.float32(np.pi / ramp_mm**2), 1)
        return thin * coverage(np.sqrt(np.maximum(squared, 0)) - np.maximum(radius, np.float32(ramp_mm / 2)), ramp_mm)


def _per_tube(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None, None]


def add_tubes(share_zyx: np.ndarray, axes: Axes, tubes: Tubes, ramp_mm: float) -> None:
    """Raise `share_zyx`, in place, to the share of each voxel that the tubes fill.

    Each tube is computed in its own small box, together with others whose boxes have the same size.
    """
    first, size = _boxes(axes, tubes, ramp_mm)
    sizes, group = np.unique(size, axis=0, return_inverse=True)
    for number, (nz, ny, nx) in enumerate(sizes.tolist()):
        members = np.flatnonzero(group.ravel() == number)
        for batch in np.array_split(members, 1 + len(members) * nz * ny * nx // BATCH_VOXELS):
            z, y, x = first[batch].T
            xyz = (
                axes.x[x[:, None] + np.arange(nx)][:, None, None, :],
                axes.y[y[:, None] + np.arange(ny)][:, None, :, None],
                axes.z[z[:, None] + np.arange(nz)][:, :, None, None],
            )
            for (k, j, i), filled in zip(first[batch].tolist(), tubes.take(batch).filled(xyz, ramp_mm), strict=True):
                part = share_zyx[k : k + nz, j : j + ny, i : i + nx]
                np.maximum(part, filled, out=part)


def _boxes(axes: Axes, tubes: Tubes, margin_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """First voxel and size of each tube's box, (n, 3) z, y, x; sizes are rounded up, so that few differ."""
    reach = np.maximum(tubes.start_radius_mm, tubes.end_radius_mm)[:, None] + margin_mm
    low = (np.minimum(tubes.start_xyz_mm, tubes.end_xyz_mm) - reach)[:, ::-1]
    high = (np.maximum(tubes.start_xyz_mm, tubes.end_xyz_mm) + reach)[:, ::-1]
    counts = np.array(axes.shape_zyx)
    lines = (axes.z, axes.y, axes.x)
    first = np.stack([np.searchsorted(line, low[:, d]) for d, line in enumerate(lines)], axis=1)
    last = np.stack([np.searchsorted(line, high[:, d]) for d, line in enumerate(lines)], axis=1)
    size = np.minimum(-(-(last - first) // 4) * 4, counts)
    return np.minimum(first, counts - size), size
