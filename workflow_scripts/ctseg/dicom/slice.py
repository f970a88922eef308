"""One DICOM slice: its geometry, the meaning of its stored values, and its pixels in Hounsfield units.

Geometry follows PS3.3 C.7.6.2.1.1 (Image Plane), values C.11.1.1.2 (Modality LUT) and C.7.5.1.1.2 (pixel padding).

Uncompressed pixels are read by own code. The plain way, pydicom's `pixel_array`, refuses deflated files and files
without a transfer syntax, and does not know HighBit. It also parses each header again: 3 times as long for the pixels,
1.2 times for the whole series (50 slices of 512 × 512, 1 core; `docs/own_code.md`).
"""

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import UID

from ctseg.dicom.header import Header
from ctseg.dicom.multiframe import pixels_alone
from ctseg.errors import InputError, ScanError
from ctseg.geometry.possible_sizes import possible_spacing
from ctseg.geometry.volume import AIR_HU

INT16_MAX = 32767
PIXELS_LITTLE_ENDIAN = b"\xe0\x7f\x10\x00"
PIXELS_BIG_ENDIAN = b"\x7f\xe0\x00\x10"


@dataclass(frozen=True)
class Slice:
    """Geometry of one slice and the meaning of its stored values.

    `position_xyz_mm` is the centre of the first pixel (LPS); `rows_columns` is a 2 × 3 array of the unit vectors (LPS)
    along which the column index (x) and the row index (y) grow; `padding_hu` is the closed range of HU that mean "no
    measurement".
    """

    header: Header
    position_xyz_mm: np.ndarray
    rows_columns: np.ndarray
    spacing_xy_mm: tuple[float, float]
    shape_yx: tuple[int, int]
    slope: float
    intercept: float
    padding_hu: tuple[float, float] | None

    @property
    def path(self) -> Path:
        """The file of the slice."""
        return self.header.path

    @property
    def normal(self) -> np.ndarray:
        """The unit vector perpendicular to the slice, right-handed with its two axes."""
        return np.cross(self.rows_columns[0], self.rows_columns[1])

    @property
    def says_rescaling(self) -> bool:
        """Whether the file has the RescaleIntercept that a CT must have."""
        return self.header.value("RescaleIntercept") is not None


def parse_slice(header: Header) -> Slice:
    """Read geometry, rescaling and padding from a header; raises ScanError for missing geometry or unusable values."""
    axes = np.array(_numbers(header, "ImageOrientationPatient", 6)).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    if np.abs(lengths - 1).max() > 0.01 or abs(float(axes[0] @ axes[1])) > 0.01:
        raise ScanError(f"{header.path} has an orientation that is not a pair of perpendicular unit vectors")
    spacing_y, spacing_x = _numbers(header, "PixelSpacing", 2)
    rows, columns = (int(_numbers(header, keyword, 1)[0]) for keyword in ("Rows", "Columns"))
    if min(spacing_x, spacing_y, rows, columns) <= 0:
        raise ScanError(
            f"{header.path} has pixels without a size: {rows} by {columns} of {spacing_y} by {spacing_x} mm"
        )
    if not possible_spacing(spacing_x, spacing_y):
        raise ScanError(f"{header.path} has pixels of {spacing_x:g} x {spacing_y:g} mm, which no CT has")
    slope, intercept = _rescaling(header)
    if slope == 0:
        raise ScanError(f"{header.path} has a rescale slope of 0: all its values would be the same")
    return Slice(
        header,
        np.array(_numbers(header, "ImagePositionPatient", 3)),
        axes / lengths,
        (spacing_x, spacing_y),
        (rows, columns),
        slope,
        intercept,
        _padding_hu(header, slope, intercept),
    )


def rescaled(part: Slice, slope: float, intercept: float) -> Slice:
    """The slice with another slope and intercept for its stored values."""
    padding_hu = _padding_hu(part.header, slope, intercept)
    return replace(part, slope=float(slope), intercept=float(intercept), padding_hu=padding_hu)


def read_hu(part: Slice) -> np.ndarray:
    """Read the pixels of one slice as int16 HU `[y, x]`, rounded; padding and values below −1024 become −1024.

    Raises ScanError if pixels are missing, cut, or stored or compressed in a way that cannot be decoded.
    """
    hu: np.ndarray = _rescaled(_stored_values(part), part) if _is_native(part.header) else _decoded_hu(part)
    if part.padding_hu is not None and part.padding_hu[1] > AIR_HU:
        half = abs(part.slope) / 2
        hu[(hu > part.padding_hu[0] - half) & (hu < part.padding_hu[1] + half)] = AIR_HU
    if hu.dtype.kind == "f":
        np.rint(hu, out=hu)
    return np.clip(hu, AIR_HU, INT16_MAX, out=hu).astype(np.int16)


def optional_number(header: Header, keyword: str) -> float | None:
    """A number of the header, or None if it is missing or unreadable."""
    try:
        return _numbers(header, keyword, 1)[0]
    except InputError:
        return None


def _numbers(header: Header, keyword: str, count: int, default: list[float] | None = None) -> list[float]:
    """The finite numbers of an element, or `default` if it is missing; raises ScanError if they are unusable."""
    value = header.value(keyword)
    if default is not None and value is None:
        return default
    try:
        numbers = [float(item) for item in (value if count > 1 else [value])]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ScanError(f"{header.path} lacks a usable {keyword}: it is not a slice of a volume, or it is damaged")
    return numbers


def _rescaling(header: Header) -> tuple[float, float]:
    """Slope and intercept of a header; 1 and 0 where it has none."""
    return _numbers(header, "RescaleSlope", 1, [1.0])[0], _numbers(header, "RescaleIntercept", 1, [0.0])[0]


def _padding_hu(header: Header, slope: float, intercept: float) -> tuple[float, float] | None:
    """The closed range of padding in HU, or None. A negative value that a writer stored as unsigned is wrapped."""
    first = optional_number(header, "PixelPaddingValue")
    if first is None:
        return None
    last = _numbers(header, "PixelPaddingRangeLimit", 1, [first])[0]
    bits = int(_numbers(header, "BitsAllocated", 1)[0])
    signed = _numbers(header, "PixelRepresentation", 1, [0.0])[0] == 1
    low = -(2 ** (bits - 1)) if signed else 0
    ends = [((value - low) % 2**bits + low) * slope + intercept for value in (first, last)]
    return min(ends), max(ends)


def _is_native(header: Header) -> bool:
    """Whether pixels are plain numbers; true also for deflated files and files without a transfer syntax."""
    syntax = header.syntax
    return not syntax or not syntax.is_transfer_syntax or not syntax.is_compressed or syntax.is_deflated


def _stored_values(part: Slice) -> np.ndarray:
    """The stored integers `[y, x]` of an uncompressed slice, without the content of unused bits."""
    header = part.header
    bits, used = (int(_numbers(header, name, 1)[0]) for name in ("BitsAllocated", "BitsStored"))
    high_bit = int(_numbers(header, "HighBit", 1, [used - 1.0])[0])
    if bits not in (8, 16, 32) or not 0 < used <= high_bit + 1 <= bits:
        raise ScanError(f"{part.path} stores {used} of {bits} bits a pixel, which ctseg cannot read")
    signed = _numbers(header, "PixelRepresentation", 1, [0.0])[0] == 1
    kind = np.dtype(f"{'<' if header.little_endian else '>'}{'i' if signed else 'u'}{bits // 8}")
    stored = _plain_pixels(part, kind)
    if used < bits:
        # The shift up drops the bits above the stored ones; the shift down drops those below and keeps the sign.
        stored = (stored << (bits - 1 - high_bit)) >> (bits - used)
    return stored


def _plain_pixels(part: Slice, kind: np.dtype) -> np.ndarray:
    """The numbers `[y, x]` of an uncompressed slice as stored in the file."""
    header, count = part.header, part.shape_yx[0] * part.shape_yx[1]
    first = (header.frame or 0) * count
    with part.path.open("rb") as stream:
        stream.seek(header.pixels_at)
        start = stream.read(8 if header.implicit_vr else 12)
        if start[:4] in (PIXELS_LITTLE_ENDIAN, PIXELS_BIG_ENDIAN):
            n_bytes = int.from_bytes(start[-4:], "little" if start[:4] == PIXELS_LITTLE_ENDIAN else "big")
            stream.seek(first * kind.itemsize, os.SEEK_CUR)
            pixels = np.fromfile(stream, kind, min(count, max(0, n_bytes // kind.itemsize - first)))
        else:
            data = _parsed_pixels(part.path)
            pixels = np.frombuffer(data, kind, len(data) // kind.itemsize)[first : first + count]
    if pixels.size < count:
        raise ScanError(f"{part.path} is cut: it holds {pixels.size} of {count} pixels; copy it again from its source")
    return pixels.reshape(part.shape_yx)


@lru_cache(maxsize=1)  # the frames of one file follow each other
def _parsed_pixels(path: Path) -> bytes:
    """The bytes of a file's pixels, found by parsing the file, which may be deflated."""
    try:
        data = pydicom.dcmread(path, specific_tags=["PixelData"], force=True).get("PixelData")
    except Exception:  # a damaged file can make the parser fail in any way
        data = None
    if not isinstance(data, bytes):
        raise ScanError(f"{path} holds no pixels: it is cut or damaged; copy it again from its source")
    return data


def _rescaled(stored: np.ndarray, part: Slice) -> np.ndarray:
    """Stored values times slope plus intercept: exact integers if both are whole numbers, else float64."""
    if part.slope.is_integer() and part.intercept.is_integer():
        wide = np.int32 if stored.itemsize <= 2 and abs(part.slope) <= 2**14 else np.int64
        hu = stored.astype(wide)
        np.multiply(hu, int(part.slope), out=hu)
        return np.add(hu, int(part.intercept), out=hu)
    return stored * part.slope + part.intercept


def _decoded_hu(part: Slice) -> np.ndarray:
    """The HU `[y, x]` of a compressed slice, decoded by GDCM, which is part of SimpleITK.

    GDCM also rescales, but with one slope and intercept for all frames of a file, which may each have their own.
    """
    header, size, frame = part.header, part.shape_yx[0] * part.shape_yx[1], part.header.frame or 0
    in_hu = header.frame is None and (part.slope, part.intercept) == _rescaling(header)
    decoded = _decoded_file(part.path, header.syntax or UID(""), in_hu)
    if decoded.size < (frame + 1) * size or (header.frame is None and decoded.size != size):
        raise ScanError(f"{part.path} holds an image of another size than its header says: it is damaged")
    decoded = decoded.reshape(-1)[frame * size : (frame + 1) * size].reshape(part.shape_yx)
    if not in_hu:
        return _rescaled(decoded, part)
    # GDCM uses the narrowest type for the values, and −1024 may not fit into this type.
    return decoded.astype(np.float64 if decoded.dtype.kind == "f" else np.int64)


@lru_cache(maxsize=1)  # the frames of one file follow each other
def _decoded_file(path: Path, syntax: UID, in_hu: bool) -> np.ndarray:
    """The pixels of all frames of a compressed file, as stored or, with `in_hu`, rescaled by GDCM."""
    import SimpleITK as sitk  # 0.3 s, and most scans are not compressed

    try:
        with nullcontext(path) if in_hu else pixels_alone(path, syntax) as source:
            return sitk.GetArrayFromImage(sitk.ReadImage(str(source), imageIO="GDCMImageIO"))
    except (OSError, MemoryError):
        raise
    except Exception:  # a damaged file can make the parser fail in any way
        raise ScanError(
            f"{path} cannot be decoded ({syntax.name}): it is cut or damaged, or this compression is not supported; "
            "copy it again, or decompress the series first"
        ) from None
