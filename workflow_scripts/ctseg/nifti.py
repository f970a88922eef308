"""NIfTI files: the format in which all volumes of a study lie.

nibabel's world is RAS, x to the right and y to the front; ctseg's is that of DICOM, see `volume`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
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
from ctseg.volume import Grid, Volume

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
VOXELS_FROM = 352  # byte of a NIfTI-1 file without extensions
READ_BYTES = 2**20
GZIP_LEVEL = 2  # of ISA-L's four: as small as level 1 of zlib in a third of its time


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
