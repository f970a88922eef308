"""Headers of NRRD and MetaImage uploads, read before a library opens them.

Both formats may name another file with the voxels. For an upload, this would be a file of the server, so only files
that contain their own voxels are accepted. ITK does not read MetaImage line by line: a line without a value, or with
too few numbers, takes words of the next one. So the key that names the file may be there only once, in all of the file.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ctseg.scans.text_headers import (
    MOST_HEADER_BYTES,
    NRRD,
    Stated,
    fault_of,
    meta_image_fields,
    meta_image_stated,
    nrrd_fields,
    nrrd_stated,
)
from serving.refused import Refused, bomb, limit_bytes
from serving.settings import Settings

META_IMAGE = b"ObjectType"
SUFFIXES = {"NRRD": ".nrrd", "MetaImage": ".mha"}
PIECE_BYTES = 2**20
NRRD_BYTES = {
    1: ("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"),
    2: ("short", "short int", "signed short", "int16", "int16_t", "ushort", "unsigned short", "uint16", "uint16_t"),
    4: ("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"),
    8: ("longlong", "long long", "int64", "int64_t", "ulonglong", "unsigned long long", "uint64", "uint64_t", "double"),
}
META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4}
META_BYTES |= {"LONG": 8, "ULONG": 8, "LONG_LONG": 8, "ULONG_LONG": 8, "DOUBLE": 8}
META_KEYS = ("DimSize", "ElementType", "ElementNumberOfChannels")  # they determine how much is read
DATA_FILE = b"ElementDataFile"


@dataclass(frozen=True)
class VolumeHeader:
    """The format (NRRD or MetaImage), sizes of the axes in file order, bytes of a voxel, and the stated geometry."""

    kind: str
    sizes: tuple[int, ...]
    voxel_bytes: int
    stated: Stated

    @property
    def suffix(self) -> str:
        """File suffix of the format."""
        return SUFFIXES[self.kind]

    @property
    def total_bytes(self) -> int:
        """Size of all voxels in bytes, uncompressed."""
        return prod(self.sizes) * self.voxel_bytes


def volume_header(path: Path) -> VolumeHeader | None:
    """The header of a NRRD or MetaImage file; None for any other file.

    Raises Refused if the header is damaged or names another file.
    """
    with path.open("rb") as stream:
        head = stream.read(MOST_HEADER_BYTES)
    try:
        if head.startswith(NRRD):
            return _nrrd(head)
        if head.startswith(META_IMAGE):
            return _meta_image(head, path)
    except (KeyError, ValueError, StopIteration):
        raise Refused(422, "the header of the file is damaged: it does not say what its voxels are") from None
    return None


def check_volume(header: VolumeHeader, size: int, settings: Settings) -> None:
    """Raise Refused if a file of `size` bytes is not 3-D (one axis of layers is allowed) or above the limits.

    Also raised if it does not state its voxel size in mm.
    """
    layers, volume = header.sizes[:-3], header.sizes[-3:]  # 3D Slicer stores overlapping segments in layers
    if len(volume) < 3 or len(layers) > 1 or min(header.sizes) < 1:
        raise Refused(422, f"the file holds no single 3-D volume: its shape is {list(header.sizes)}")
    if max(header.sizes) > settings.max_dimension or int(np.prod(header.sizes, dtype=object)) > settings.max_voxels:
        raise Refused(413, f"the scan of {list(header.sizes)} voxels is larger than this service takes")
    if header.total_bytes > limit_bytes(size, settings):
        raise bomb(settings)
    if fault := fault_of(header.stated, "the upload", header.kind):
        raise Refused(422, fault)


def _nrrd(head: bytes) -> VolumeHeader:
    """Header of a NRRD file. Raises ValueError if it does not end within the bytes of `head`."""
    if b"\n\n" not in head.replace(b"\r\n", b"\n"):
        raise ValueError("the header has no end")
    fields = nrrd_fields(head)
    if "data file" in fields or "datafile" in fields:
        raise Refused(422, "the file names another file that holds its voxels; save it as one file (.nrrd)")
    size = next(size for size, names in NRRD_BYTES.items() if fields["type"].lower() in names)
    sizes = tuple(map(int, fields["sizes"].split()))
    return VolumeHeader("NRRD", sizes, size, nrrd_stated(fields))


def _meta_image(head: bytes, path: Path) -> VolumeHeader:
    """Header of a MetaImage file. Raises ValueError for a key that ITK could read in another line than ctseg."""
    fields = meta_image_fields(head)
    if fields["ElementDataFile"].upper() != "LOCAL":
        raise Refused(422, "the file names another file that holds its voxels; save it as one file (.mha)")
    text = head.partition(DATA_FILE)[0]
    if _mentions(path, DATA_FILE) != 1 or any(text.count(key.encode()) != (key in fields) for key in META_KEYS):
        raise ValueError("a key is there twice, or inside of a value")
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    size = META_BYTES[fields["ElementType"].removeprefix("MET_").removesuffix("_ARRAY")]
    sizes = tuple(map(int, fields["DimSize"].split()))
    return VolumeHeader("MetaImage", sizes, size * channels, meta_image_stated(fields))


def _mentions(path: Path, word: bytes) -> int:
    """How often a word is in a file, up to 2; a word across the end of a piece is found in the next one."""
    count, rest = 0, b""
    with path.open("rb") as stream:
        while count < 2 and (piece := stream.read(PIECE_BYTES)):
            count += (rest + piece).count(word)
            rest = piece[1 - len(word) :]
    return min(count, 2)
