"""Grids and volumes: voxels with their position in the patient's space.

Two conventions apply in all of ctseg:

* arrays are indexed `[z, y, x]`, the order in which NIfTI and DICOM store them, so that a slice is contiguous memory;
  names end in `_zyx`;
* geometry (spacing, origin, direction, points) is given in x, y, z order in the patient's space of DICOM (PS3.3
  C.7.6.2.1.1): millimetres, x to the left, y to the back, z to the head ("LPS"); names end in `_xyz_mm`.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ctseg.errors import GridError

AIR_HU = -1024
# Tolerance of a size or a length in decisions: more than the rounding of file formats. The odd values are no usual
# fraction of spacings and margins, so that no usual size is exactly at the limit.
LEEWAY_VOXELS = 0.00731592
LEEWAY_MM = 0.0000314159

Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Grid:
    """A regular lattice in the patient's space.

    `shape_zyx` is the number of voxels, `spacing_xyz_mm` the distance of neighbours along each array axis,
    `origin_xyz_mm` the centre of voxel [0, 0, 0]. Column i of the 3 × 3 `direction` is the unit vector along which
    index i (x, y, z) grows. The columns need not be orthogonal (gantry tilt) or right-handed.
    """

    shape_zyx: Shape
    spacing_xyz_mm: Triple
    origin_xyz_mm: Triple
    direction: tuple[Triple, Triple, Triple]

    @classmethod
    def from_affine(cls, affine: np.ndarray, shape_zyx: Shape) -> "Grid":
        """Build a grid from the 4 × 4 matrix that maps (x, y, z, 1) indices to LPS millimetres.

        Raises GridError if the matrix is not finite, is singular or has an axis of length zero.
        """
        columns = np.asarray(affine, dtype=float)[:3, :3]
        spacing = np.linalg.norm(columns, axis=0)
        if not np.isfinite(affine).all() or (spacing <= 0).any() or abs(np.linalg.det(columns / spacing)) < 1e-3:
            raise GridError("the geometry is not usable: its matrix is singular or not finite")
        direction = columns / spacing
        return cls(
            tuple(int(n) for n in shape_zyx),  # type: ignore[arg-type]
            tuple(spacing.tolist()),
            tuple(np.asarray(affine, dtype=float)[:3, 3].tolist()),
            tuple(tuple(row) for row in direction.tolist()),  # type: ignore[arg-type]
        )

    @cached_property
    def affine(self) -> np.ndarray:
        """The 4 × 4 matrix from (x, y, z, 1) indices to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing_xyz_mm)
        matrix[:3, 3] = self.origin_xyz_mm
        return matrix

    def rounded(self) -> "Grid":
        """The grid with its matrix rounded to float32, the precision of a NIfTI header; used when a scan is read.

        A DICOM series and the NIfTI file converted from it then have identical geometry, to the last digit.
        """
        with np.errstate(over="ignore"):  # too large for float32: infinite, which `from_affine` rejects
            affine = self.affine.astype(np.float32) + np.float32(0)  # −0 becomes 0
        return self.from_affine(affine, self.shape_zyx)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³; also correct for sheared grids."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def spacing_zyx_mm(self) -> Triple:
        """Spacing in the order of the array's axes, in mm."""
        x, y, z = self.spacing_xyz_mm
        return z, y, x

    def points_xyz_mm(self, indices_zyx: np.ndarray) -> np.ndarray:
        """LPS points in mm (n, 3) of an (n, 3) array of z, y, x indices (fractions allowed)."""
        indices_xyz = np.atleast_2d(np.asarray(indices_zyx, dtype=float))[:, ::-1]
        return indices_xyz @ self.affine[:3, :3].T + self.affine[:3, 3]

    def indices_zyx(self, points_xyz_mm: np.ndarray) -> np.ndarray:
        """Fractional z, y, x indices (n, 3) of an (n, 3) array of LPS points in mm."""
        offsets = np.atleast_2d(np.asarray(points_xyz_mm, dtype=float)) - self.affine[:3, 3]
        return np.linalg.solve(self.affine[:3, :3], offsets.T).T[:, ::-1]

    def corners_xyz_mm(self) -> np.ndarray:
        """Centres of the eight corner voxels: (8, 3) LPS points in mm."""
        last = np.asarray(self.shape_zyx) - 1
        return self.points_xyz_mm(np.array(list(np.ndindex(2, 2, 2))) * last)

    def box_text(self) -> str:
        """Extent of the grid for a message, between corner voxel centres: `x −120.0…118.0, y …, z … mm`."""
        return box_text(self.corners_xyz_mm())

    def matches(self, other: "Grid", tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same shape and the same voxel positions, to `tolerance_mm` along each axis."""
        if self.shape_zyx != other.shape_zyx:
            return False
        return bool(np.abs(self.corners_xyz_mm() - other.corners_xyz_mm()).max() <= tolerance_mm)

    def with_spacing(self, spacing_xyz_mm: Triple) -> "Grid":
        """The grid with another spacing over the same extent; the centre stays in place.

        The number of voxels along each axis is rounded to the nearest; half a voxel is rounded up, to `LEEWAY_VOXELS`.
        """
        spacing = np.asarray(spacing_xyz_mm, dtype=float)
        extent_voxels = np.asarray(self.shape_zyx[::-1]) * self.spacing_xyz_mm / spacing
        new_shape_xyz = np.array([max(1, whole_down(voxels + 0.5)) for voxels in extent_voxels])
        centre = self.points_xyz_mm((np.asarray(self.shape_zyx) - 1) / 2)[0]
        origin = centre - np.asarray(self.direction) @ ((new_shape_xyz - 1) / 2 * spacing)
        return replace(
            self,
            shape_zyx=tuple(new_shape_xyz[::-1].tolist()),
            spacing_xyz_mm=tuple(spacing.tolist()),
            origin_xyz_mm=tuple(origin.tolist()),
        )

    def cropped(self, box_zyx: tuple[slice, slice, slice]) -> "Grid":
        """The part of the grid inside `box_zyx`, three slices with start and stop and no step."""
        starts = [axis.start for axis in box_zyx]
        shape = tuple(axis.stop - axis.start for axis in box_zyx)
        origin = tuple(self.points_xyz_mm(np.array([starts]))[0].tolist())
        return replace(self, shape_zyx=shape, origin_xyz_mm=origin)


def whole_up(voxels: float) -> int:
    """The smallest whole number that is not less than `voxels`, to `LEEWAY_VOXELS`."""
    return math.ceil(voxels - LEEWAY_VOXELS)


def whole_down(voxels: float) -> int:
    """The largest whole number that is not more than `voxels`, to `LEEWAY_VOXELS`."""
    return math.floor(voxels + LEEWAY_VOXELS)


def box_text(points_xyz_mm: np.ndarray) -> str:
    """Extent of (n, 3) LPS points in mm for a message: `x −120.0…118.0, y …, z … mm`."""
    spans = zip("xyz", points_xyz_mm.min(axis=0), points_xyz_mm.max(axis=0), strict=True)
    return ", ".join(f"{axis} {low:.1f}…{high:.1f}" for axis, low, high in spans) + " mm"


@dataclass(frozen=True)
class Volume:
    """Voxels `[z, y, x]` with their grid. Raises ValueError if the shapes differ."""

    voxels_zyx: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        """Raise ValueError if voxels and grid differ in shape."""
        if self.voxels_zyx.shape != self.grid.shape_zyx:
            raise ValueError(f"voxels of shape {self.voxels_zyx.shape} on a grid of shape {self.grid.shape_zyx}")

    def with_voxels(self, voxels_zyx: np.ndarray) -> "Volume":
        """A volume of other voxels on the same grid."""
        return Volume(voxels_zyx, self.grid)

    def cropped(self, box_zyx: tuple[slice, slice, slice]) -> "Volume":
        """The part inside `box_zyx` (a view, not a copy), with its own origin."""
        return Volume(self.voxels_zyx[box_zyx], self.grid.cropped(box_zyx))


def require_same_grid(first: Grid, second: Grid, first_name: str, second_name: str, tolerance_mm: float = 1e-3) -> None:
    """Raise GridError with both names unless the two grids match to `tolerance_mm`."""
    if first.matches(second, tolerance_mm):
        return
    boxes = [f"{grid.shape_zyx} voxels (z, y, x) over {grid.box_text()}" for grid in (first, second)]
    difference = [" against ".join(boxes)] if boxes[0] != boxes[1] else []
    if first.shape_zyx == second.shape_zyx:
        off_mm = np.abs(first.corners_xyz_mm() - second.corners_xyz_mm()).max()
        difference.append(f"their voxels lie up to {off_mm:.4g} mm apart, {tolerance_mm:.3g} mm are allowed")
    raise GridError(
        f"{first_name} and {second_name} do not lie on one grid: {'; '.join(difference)}. "
        "They must come from the same scan; check that the right pair is given."
    )
