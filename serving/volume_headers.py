"""Headers of NRRD and MetaImage uploads, read before a library opens them.

Both formats may name another file with the voxels. For an upload, this would be a file of the server, so only files
that contain their own voxels are accepted.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from serving.refused import Refused, bomb, limit_bytes
from serving.settings import Settings

NRRD, META_IMAGE = b"NRRD000", b"ObjectType"
MOST_HEADER_BYTES = 2**16  # segmentations of 3D Slicer with many segments have about 20,000
NRRD_BYTES = {
    1: ("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"),
    2: ("short", "short int", "signed short", "int16", "int16_t", "ushort", "unsigned short", "uint16", "uint16_t"),
    4: ("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"),
    8: ("longlong", "long long", "int64", "int64_t", "ulonglong", "unsigned long long", "uint64", "uint64_t", "double"),
}
META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4}
META_BYTES |= {"LONG": 8, "ULONG": 8, "LONG_LONG": 8, "ULONG_LONG": 8, "DOUBLE": 8}


@dataclass(frozen=True)
class VolumeHeader:
    """File suffix of the format, sizes of the axes in file order, and bytes of one voxel."""

    suffix: str
    sizes: tuple[int, ...]
    voxel_bytes: int

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
            return _meta_image(head)
    except (KeyError, ValueError, StopIteration):
        raise Refused(422, "the header of the file is damaged: it does not say what its voxels are") from None
    return None


def check_volume(header: VolumeHeader, size: int, settings: Settings) -> None:
    """Raise Refused if a file of `size` bytes is not 3-D (one axis of layers is allowed) or above the limits."""
    layers, volume = header.sizes[:-3], header.sizes[-3:]  # 3D Slicer stores overlapping segments in layers
    if len(volume) < 3 or len(layers) > 1 or min(header.sizes) < 1:
        raise Refused(422, f"the file holds no single 3-D volume: its shape is {list(header.sizes)}")
    if max(header.sizes) > settings.max_dimension or int(np.prod(header.sizes, dtype=object)) > settings.max_voxels:
        raise Refused(413, f"the scan of {list(header.sizes)} voxels is larger than this service takes")
    if header.total_bytes > limit_bytes(size, settings):
        raise bomb(settings)


def _nrrd(head: bytes) -> VolumeHeader:
    """Header of a NRRD file: one `field: value` per line, up to an empty line."""
    text = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")
    pairs = [line.partition(":") for line in text.splitlines()[1:] if not line.startswith("#")]
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if "data file" in fields or "datafile" in fields:
        raise Refused(422, "the file names another file that holds its voxels; save it as one file (.nrrd)")
    size = next(size for size, names in NRRD_BYTES.items() if fields["type"].lower() in names)
    return VolumeHeader(".nrrd", tuple(map(int, fields["sizes"].split())), size)


def _meta_image(head: bytes) -> VolumeHeader:
    """Header of a MetaImage file: one `key = value` per line, up to the line `ElementDataFile`."""
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").splitlines():
        key, _, value = line.partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    if fields["ElementDataFile"].upper() != "LOCAL":
        raise Refused(422, "the file names another file that holds its voxels; save it as one file (.mha)")
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    size = META_BYTES[fields["ElementType"].removeprefix("MET_").removesuffix("_ARRAY")]
    return VolumeHeader(".mha", tuple(map(int, fields["DimSize"].split())), size * channels)
