"""Voxels and where they are: the floor that everything else stands on.

Two conventions hold throughout ctseg:

* arrays are indexed `[z, y, x]`, the order in which NIfTI and DICOM store them, so that a slice is contiguous memory;
  names end in `_zyx`;
* geometry (spacing, origin, direction, points) is given in x, y, z order in the patient's space of DICOM (PS3.3
  C.7.6.2.1.1): millimetres, x to the left, y to the back, z to the head ("LPS"); names end in `_xyz_mm`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, cast

import nibabel as nib
import numpy as np
from isal import igzip
from isal.igzip import IGzipFile
from nibabel.arrayproxy import ArrayProxy
from nibabel.volumeutils import apply_read_scaling

from ctseg import scratch
from ctseg.errors import InputError
from ctseg.files import atomic_path

AIR_HU = -1024
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
VOXELS_FROM = 352  # byte of a NIfTI-1 file without extensions
READ_BYTES = 2**20
GZIP_LEVEL = 2  # of ISA-L's four: as small as level 1 of zlib in a third of its time

Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Grid:
    """A regular lattice in the patient's space.

    `shape_zyx` counts voxels, `spacing_xyz_mm` is the distance of neighbours along each array axis, `origin_xyz_mm` the
    centre of voxel [0, 0, 0], and column i of the 3 × 3 `direction` the unit vector along which index i (x, y, z)
    grows. The columns need not be orthogonal (a gantry tilt) nor right-handed.
    """

    shape_zyx: Shape
    spacing_xyz_mm: Triple
    origin_xyz_mm: Triple
    direction: tuple[Triple, Triple, Triple]

    @classmethod
    def from_affine(cls, affine: np.ndarray, shape_zyx: Shape) -> "Grid":
        """Build a grid from the 4 × 4 matrix that maps (x, y, z, 1) indices to LPS millimetres.

        Raises InputError when the matrix has NaN, is singular or gives an axis no length.
        """
        columns = np.asarray(affine, dtype=float)[:3, :3]
        spacing = np.linalg.norm(columns, axis=0)
        if not np.isfinite(affine).all() or (spacing <= 0).any() or abs(np.linalg.det(columns / spacing)) < 1e-3:
            raise InputError("the geometry is not usable: its matrix is singular or not finite")
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

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³; right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def spacing_zyx_mm(self) -> Triple:
        """Spacing in the order of the array's axes, in mm."""
        x, y, z = self.spacing_xyz_mm
        return z, y, x

    def points_xyz_mm(self, indices_zyx: np.ndarray) -> np.ndarray:
        """Map an (n, 3) array of z, y, x indices (fractions allowed) to (n, 3) LPS points in mm."""
        indices_xyz = np.atleast_2d(np.asarray(indices_zyx, dtype=float))[:, ::-1]
        return indices_xyz @ self.affine[:3, :3].T + self.affine[:3, 3]

    def indices_zyx(self, points_xyz_mm: np.ndarray) -> np.ndarray:
        """Map an (n, 3) array of LPS points in mm to (n, 3) fractional z, y, x indices."""
        offsets = np.atleast_2d(np.asarray(points_xyz_mm, dtype=float)) - self.affine[:3, 3]
        return np.linalg.solve(self.affine[:3, :3], offsets.T).T[:, ::-1]

    def corners_xyz_mm(self) -> np.ndarray:
        """The centres of the eight corner voxels: (8, 3) LPS points in mm."""
        last = np.asarray(self.shape_zyx) - 1
        return self.points_xyz_mm(np.array(list(np.ndindex(2, 2, 2))) * last)

    def box_text(self) -> str:
        """The extent of the grid for a message: `x −120…118, y …, z … mm`."""
        return box_text(self.corners_xyz_mm())

    def matches(self, other: "Grid", tolerance_mm: float = 1e-3) -> bool:
        """Whether both have the same shape and every voxel lies at the same place, to `tolerance_mm`."""
        if self.shape_zyx != other.shape_zyx:
            return False
        return bool(np.abs(self.corners_xyz_mm() - other.corners_xyz_mm()).max() <= tolerance_mm)

    def with_spacing(self, spacing_xyz_mm: Triple) -> "Grid":
        """A grid of another spacing over the same extent: the outer faces' centre stays where it is."""
        shape_xyz = np.asarray(self.shape_zyx[::-1])
        spacing = np.asarray(spacing_xyz_mm, dtype=float)
        new_shape_xyz = np.maximum(1, np.round(shape_xyz * self.spacing_xyz_mm / spacing).astype(int))
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


def box_text(points_xyz_mm: np.ndarray) -> str:
    """The extent of (n, 3) points in mm for a message: `x −120.0…118.0, y …, z … mm`."""
    spans = zip("xyz", points_xyz_mm.min(axis=0), points_xyz_mm.max(axis=0), strict=True)
    return ", ".join(f"{axis} {low:.1f}…{high:.1f}" for axis, low, high in spans) + " mm"


@dataclass(frozen=True)
class Volume:
    """Voxels `[z, y, x]` with their grid. Raises ValueError when the shapes differ."""

    voxels_zyx: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse voxels that do not fit the grid."""
        if self.voxels_zyx.shape != self.grid.shape_zyx:
            raise ValueError(f"voxels of shape {self.voxels_zyx.shape} on a grid of shape {self.grid.shape_zyx}")

    def with_voxels(self, voxels_zyx: np.ndarray) -> "Volume":
        """Other voxels on the same grid."""
        return Volume(voxels_zyx, self.grid)

    def cropped(self, box_zyx: tuple[slice, slice, slice]) -> "Volume":
        """The part inside `box_zyx` (a view, not a copy) with its own origin."""
        return Volume(self.voxels_zyx[box_zyx], self.grid.cropped(box_zyx))


def require_same_grid(first: Grid, second: Grid, first_name: str, second_name: str, tolerance_mm: float = 1e-3) -> None:
    """Raise InputError, naming both, unless the two grids match to `tolerance_mm`."""
    if not first.matches(second, tolerance_mm):
        raise InputError(
            f"{first_name} and {second_name} do not lie on one grid: {first.shape_zyx} voxels (z, y, x) over "
            f"{first.box_text()} against {second.shape_zyx} over {second.box_text()}. "
            "They must come from the same scan; check that the right pair is given."
        )


def read_nifti(path: str | Path) -> Volume:
    """Read a NIfTI file, scaled if its header says so, as stored otherwise.

    Uncompressed files are memory-mapped, read-only: only what is touched is read. A fourth axis of length one is
    dropped. Raises InputError for a file that is missing, cut, no NIfTI, or not one volume.
    """
    with _nifti_errors(path):
        if str(path).lower().endswith(".gz"):
            with igzip.open(path) as stream:
                image = nib.Nifti1Image.from_stream(stream)
                voxels = _decompressed(cast(ArrayProxy, image.dataobj), stream)
                stream.read()  # the checksum is compared at the end of the file, which the voxels do not reach
        else:
            image = nib.Nifti1Image.from_filename(str(path), mmap="r")
            voxels = np.asanyarray(image.dataobj)
    if voxels.ndim > 3 and all(n == 1 for n in voxels.shape[3:]):
        voxels = voxels.reshape(voxels.shape[:3])
    if voxels.ndim != 3 or 0 in voxels.shape or voxels.dtype.fields is not None:
        raise InputError(f"{path} holds no single 3-D volume of numbers: shape {voxels.shape}, type {voxels.dtype}")
    return Volume(voxels.T, _nifti_grid(image, path))


def _decompressed(stored: ArrayProxy, stream: IGzipFile) -> np.ndarray:
    """The voxels [x, y, z, …] of a compressed file, scaled as its header says, and read a slab at a time."""
    stream.seek(stored.offset)
    kind = apply_read_scaling(np.zeros(1, stored.dtype), stored.slope, stored.inter).dtype
    voxels = scratch.zeros(stored.shape[::-1], kind)
    scaled = (stored.slope, stored.inter) != (1, 0)
    for part in scratch.by_slab(voxels):
        slab = np.empty(voxels[part].shape, stored.dtype) if scaled else voxels[part]
        _fill(slab, stream)
        if scaled:
            voxels[part] = apply_read_scaling(slab, stored.slope, stored.inter)
    return voxels.T


def _fill(array: np.ndarray, stream: IGzipFile) -> None:
    """Read an array's bytes, in pieces that stay in the processor's cache. Raises EOFError where too few follow."""
    rest = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    while rest:
        read = stream.readinto(rest[:READ_BYTES])
        if not read:
            raise EOFError("the voxels end too early")
        rest = rest[read:]


def read_nifti_grid(path: str | Path) -> Grid:
    """The grid of a 3-D NIfTI file from its header alone; raises InputError as `read_nifti` does."""
    with _nifti_errors(path):
        image = nib.Nifti1Image.from_filename(str(path), mmap="r")
    if len(image.shape) < 3 or any(n != 1 for n in image.shape[3:]):
        raise InputError(f"{path} holds no single 3-D volume: shape {image.shape}")
    return _nifti_grid(image, path)


def nifti_qform_off_mm(path: str | Path) -> float | None:
    """How far the qform puts a corner of a NIfTI file from where its sform does, in mm; None where they agree.

    Many programs write one and leave another in place. nibabel, and so ctseg, takes the sform; half a percent of a
    voxel and 0.01 mm are rounding. Raises InputError as `read_nifti` does.
    """
    with _nifti_errors(path):
        header = nib.Nifti1Image.from_filename(str(path), mmap="r").header
        sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None or qform is None:
        return None
    last = np.array([size - 1 for size in header.get_data_shape()[:3]])
    corners = np.array(list(np.ndindex(2, 2, 2))) * last
    off_mm = np.linalg.norm(nib.affines.apply_affine(sform - qform, corners), axis=1).max()
    tolerance_mm = max(0.01, 0.005 * float(min(header.get_zooms()[:3])))
    return round(float(off_mm), 3) if off_mm > tolerance_mm else None


@contextmanager
def _nifti_errors(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong while reading into an InputError."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except Exception as error:  # a damaged header or stream can make nibabel fail in many ways
        what = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as NIfTI (cut, damaged or another format): {what}") from None


def _nifti_grid(image: nib.Nifti1Image, path: str | Path) -> Grid:
    """The grid that the header describes."""
    try:
        x, y, z = image.shape[:3]
        return Grid.from_affine(LPS_FROM_RAS @ image.affine, (z, y, x))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_nifti(volume: Volume, path: str | Path) -> None:
    """Write a NIfTI-1 file, atomically, in the voxels' own type; `.nii.gz` is compressed, `.nii` is not.

    The same volume gives the same bytes: neither the time nor a name is stored.
    """
    affine_ras = LPS_FROM_RAS @ volume.grid.affine
    image = nib.Nifti1Image(volume.voxels_zyx.T, affine_ras, dtype=volume.voxels_zyx.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine_ras, code="scanner")
    direction = np.asarray(volume.grid.direction)
    # A quaternion holds rotations alone, so a sheared grid is described by the sform and the qform says "unknown".
    orthogonal = np.allclose(direction.T @ direction, np.eye(3), atol=1e-5)
    image.set_qform(affine_ras, code="scanner" if orthogonal else "unknown")
    with atomic_path(path) as partial:
        if partial.suffix == ".gz":
            with partial.open("wb") as raw, IGzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as stream:
                _write(image, stream)
        else:
            with partial.open("wb") as stream:
                _write(image, stream)


def _write(image: nib.Nifti1Image, stream: IO[bytes] | IGzipFile) -> None:
    """Header and voxels, a slab at a time."""
    voxels_zyx = np.asanyarray(image.dataobj).T
    image.header.set_data_offset(VOXELS_FROM)
    stream.write(image.header.binaryblock.ljust(VOXELS_FROM, b"\0"))  # no extensions
    for part in scratch.by_slab(voxels_zyx):
        stream.write(np.ascontiguousarray(voxels_zyx[part], image.header.get_data_dtype()).data)
