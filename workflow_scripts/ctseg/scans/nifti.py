"""NIfTI files: the format of all volumes of a study.

nibabel's coordinates are RAS, with x to the right and y to the front; ctseg's are those of DICOM (LPS), see `volume`.

Headers are nibabel's. Voxels of compressed files are read and written by own loops on isal's streams, a slab at a time,
because nibabel's loops need the whole volume in memory: with 400 slices of 512 × 512, 13 times as much memory to read
and 4 times to write, and more for longer scans. These loops are as fast as nibabel's on isal; the plain way,
`nibabel.load` and `save`, takes 2 to 3 times as long (1 core; `docs/own_code.md`).
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import nibabel as nib
import numpy as np
from isal import igzip
from isal.igzip import IGzipFile
from nibabel.arrayproxy import ArrayProxy
from nibabel.fileholders import FileHolder
from nibabel.volumeutils import apply_read_scaling

from ctseg.errors import InputError, refusal
from ctseg.files import atomic_path
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Volume

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEADER_BYTES = 540  # of NIfTI-2; a NIfTI-1 header has 348
GZIP = b"\x1f\x8b"
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"NRRD": "a NRRD file",
    b"DICM": "a DICOM file",
}  # by their first bytes, of DICOM those at byte 128
UNITS_MM = {1: 1000.0, 3: 0.001}  # metre and micrometre, by the code in xyzt_units
VOXELS_FROM = 352  # first byte of the voxels in a NIfTI-1 file without extensions
READ_BYTES = 2**20
GZIP_LEVEL = 2  # of ISA-L's four levels: files as small as with level 1 of zlib in a third of its time


def read_nifti(path: str | Path) -> Volume:
    """Read a NIfTI-1 or -2 file: voxels `[z, y, x]`, scaled if its header says so, else as stored; sizes in mm.

    Sizes in other units are converted. The content, not the name, decides whether the file is compressed. Uncompressed
    files without scaling are memory-mapped, read-only: only the parts in use are read. Further axes of length one are
    dropped. Raises InputError for a file that is missing, cut, no NIfTI, or not one volume.
    """
    with _nifti_errors(path), _opened(path) as (image, stream):
        stored = cast(ArrayProxy, image.dataobj)
        if isinstance(stream, IGzipFile):
            voxels = _decompressed(stored, stream)
            stream.read()  # the checksum is compared at the end of the file, which is after the voxels
        else:
            _require_whole(stored, stream)
            voxels = _scaled(stored) if _has_scaling(stored) else np.asanyarray(stored)
    if voxels.ndim > 3 and all(n == 1 for n in voxels.shape[3:]):  # of a mapped file
        voxels = voxels.reshape(voxels.shape[:3])
    if voxels.ndim != 3 or 0 in voxels.shape or voxels.dtype.fields is not None:
        raise InputError(f"{path} holds no single 3-D volume of numbers: shape {voxels.shape}, type {voxels.dtype}")
    return Volume(voxels.T, _nifti_grid(image, path))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[nib.Nifti1Image, IO[bytes] | IGzipFile]]:
    """The image of a file, without its voxels, and the stream from which the voxels are read."""
    with Path(path).open("rb") as raw:
        head = raw.read(HEADER_BYTES)
    if other := next(
        (name for start, name in OTHER_FORMATS.items() if start in (head[: len(start)], head[128:132])), ""
    ):
        raise InputError(f"{path} is {other}, but its name says NIfTI; save it in the format of its name")
    with igzip.open(path) if head.startswith(GZIP) else Path(path).open("rb") as stream:
        kind = nifti_kind(stream.read(HEADER_BYTES))
        stream.seek(0)
        yield kind.from_file_map({"image": FileHolder(fileobj=stream)}, mmap="r"), stream


def nifti_kind(head: bytes) -> type[nib.Nifti1Image]:
    """The class for a file that begins with `head`, NIfTI-2 or -1; `head` has `HEADER_BYTES` bytes if the file does."""
    return nib.Nifti2Image if nib.Nifti2Header.may_contain_header(head) else nib.Nifti1Image


def nifti_extensions(path: str | Path) -> list[bytes]:
    """The contents of the extensions of a header, as they are stored; raises InputError as `read_nifti` does."""
    with _nifti_errors(path), _opened(path) as (image, _):
        return [extension.content for extension in image.header.extensions]


def _decompressed(stored: ArrayProxy, stream: IGzipFile) -> np.ndarray:
    """The voxels `[x, y, z, …]` of a compressed file, scaled as its header says, and read a slab at a time."""
    stream.seek(stored.offset)
    voxels = _room(stored)
    for part in mapped_arrays.by_slab(voxels):
        slab = np.empty(voxels[part].shape, stored.dtype) if _has_scaling(stored) else voxels[part]
        _fill(slab, stream)
        if _has_scaling(stored):
            voxels[part] = apply_read_scaling(slab, stored.slope, stored.inter)
    return voxels.T


def _require_whole(stored: ArrayProxy, stream: IO[bytes]) -> None:
    """Raise ValueError if an uncompressed file is smaller than its header says; nibabel would ask for memory first."""
    needed = stored.offset + math.prod(map(int, stored.shape)) * stored.dtype.itemsize
    size = stream.seek(0, io.SEEK_END)
    if size < needed:
        raise ValueError(f"it has {size} bytes, and its header needs {needed}")


def _scaled(stored: ArrayProxy) -> np.ndarray:
    """The voxels `[x, y, z, …]` of an uncompressed file, scaled as its header says, a slab at a time."""
    voxels = _room(stored)
    mapped = stored.get_unscaled().T.reshape(voxels.shape)
    for part in mapped_arrays.by_slab(voxels, mapped):
        voxels[part] = apply_read_scaling(mapped[part], stored.slope, stored.inter)
    return voxels.T


def _has_scaling(stored: ArrayProxy) -> bool:
    """Whether a header has a slope or an intercept that changes the voxels."""
    return (stored.slope, stored.inter) != (1, 0)


def _room(stored: ArrayProxy) -> np.ndarray:
    """Zeros `[…, z, y, x]` for the scaled voxels of a file, without further axes of length one."""
    kind = apply_read_scaling(np.zeros(1, stored.dtype), stored.slope, stored.inter).dtype
    single = all(size == 1 for size in stored.shape[3:])
    return mapped_arrays.zeros(stored.shape[: 3 if single else None][::-1], kind)


def _fill(array: np.ndarray, stream: IGzipFile) -> None:
    """Fill an array from a stream, in pieces that stay in the processor's cache. Raises EOFError at an early end."""
    rest = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    while rest:
        read = stream.readinto(rest[:READ_BYTES])
        if not read:
            raise EOFError("the voxels end too early")
        rest = rest[read:]


def read_nifti_grid(path: str | Path) -> Grid:
    """The grid of a 3-D NIfTI file from its header alone; raises InputError as `read_nifti` does."""
    with _nifti_errors(path), _opened(path) as (image, _):
        pass
    if len(image.shape) < 3 or any(n != 1 for n in image.shape[3:]):
        raise InputError(f"{path} holds no single 3-D volume: shape {image.shape}")
    return _nifti_grid(image, path)


def nifti_facts(path: str | Path) -> dict[str, float | bool | None]:
    """Ambiguities of the geometry in a header: `qform_off_mm` and `no_orientation`.

    `qform_off_mm` is the largest distance in mm between the places of one corner by qform and by sform; None if they
    agree or one is missing. Many programs write one and leave a different one in place. nibabel, and so ctseg, uses the
    sform; half a percent of a voxel and 0.01 mm are rounding. `no_orientation` is true if both have the code 0, so that
    neither is valid. Raises InputError as `read_nifti`.
    """
    with _nifti_errors(path), _opened(path) as (image, _):
        header = image.header
        sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None or qform is None:
        return {"qform_off_mm": None, "no_orientation": sform is None and qform is None}
    last = np.array([size - 1 for size in header.get_data_shape()[:3]])
    corners = np.array(list(np.ndindex(2, 2, 2))) * last
    off_mm = np.linalg.norm(nib.affines.apply_affine(sform - qform, corners), axis=1).max() * _unit_mm(image)
    tolerance_mm = max(0.01, 0.005 * float(min(header.get_zooms()[:3])) * _unit_mm(image))
    return {"qform_off_mm": round(float(off_mm), 3) if off_mm > tolerance_mm else None, "no_orientation": False}


def _unit_mm(image: nib.Nifti1Image) -> float:
    """The length of the header's unit in mm; 1 if the header names none."""
    return UNITS_MM.get(int(image.header["xyzt_units"]) & 7, 1.0)


@contextmanager
def _nifti_errors(path: str | Path) -> Iterator[None]:
    """Turn errors while reading into InputError, except those of the machine: another run may read the file."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged header or stream can make nibabel fail in many ways
        if isinstance(error, OSError) and refusal(error):
            raise
        what = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as NIfTI (cut, damaged or another format): {what}") from None


def _nifti_grid(image: nib.Nifti1Image, path: str | Path) -> Grid:
    """The grid that the header describes."""
    try:
        x, y, z = image.shape[:3]
        to_mm = np.diag([*[_unit_mm(image)] * 3, 1.0])
        return Grid.from_affine(LPS_FROM_RAS @ to_mm @ image.affine, (z, y, x))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_nifti(volume: Volume, path: str | Path) -> None:
    """Write a NIfTI-1 file, atomically, in the voxels' own type; `.nii.gz` is compressed, `.nii` is not.

    The same volume produces the same bytes: neither the time nor a name is stored.
    """
    affine_ras = LPS_FROM_RAS @ volume.grid.affine
    image = nib.Nifti1Image(volume.voxels_zyx.T, affine_ras, dtype=volume.voxels_zyx.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine_ras, code="scanner")
    direction = np.asarray(volume.grid.direction)
    # A quaternion holds only rotations, so a sheared grid is described by the sform and the qform says "unknown".
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
    """Write header and voxels, a slab at a time."""
    voxels_zyx = np.asanyarray(image.dataobj).T
    image.header.set_data_offset(VOXELS_FROM)
    stream.write(image.header.binaryblock.ljust(VOXELS_FROM, b"\0"))  # no extensions
    for part in mapped_arrays.by_slab(voxels_zyx):
        stream.write(np.ascontiguousarray(voxels_zyx[part], image.header.get_data_dtype()).data)
