"""Safe handling of uploads: size limit during the transfer, format detection by content, unpacking within limits.

This module reports all errors that can be found without reading voxels or DICOM elements, as a `Refused` with an HTTP
status. No content of an upload is executed and no file name in it is used: unpacked files get numbers as names.
"""

import asyncio
import hashlib
import stat
import zipfile
import zlib
from collections.abc import AsyncIterable, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath
from typing import IO

import nibabel as nib
import numpy as np

from ctseg.errors import InputError
from ctseg.scans.nifti import HEADER_BYTES, nifti_kind, read_nifti_grid
from serving.refused import Refused, bomb, limit_bytes
from serving.settings import MIB, Settings
from serving.volume_headers import check_volume, volume_header

CHUNK = MIB
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
DICOM = b"DICM"  # after a preamble of 128 arbitrary bytes
EMPTY_ZIP, SPANNED_ZIP = b"PK\x05\x06", b"PK\x07\x08"
ARCHIVES = (GZIP, ZIP, EMPTY_ZIP, SPANNED_ZIP, b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


async def receive(chunks: AsyncIterable[bytes], path: Path, settings: Settings) -> str:
    """Write a body to `path` during the transfer; return its SHA-256. Raises Refused: empty, too large or too slow."""
    size, digest = 0, hashlib.sha256()
    rate = settings.upload_kib_per_second * 1024
    began = asyncio.get_running_loop().time()
    grace = min(settings.upload_grace_seconds, settings.upload_seconds)
    try:
        async with asyncio.timeout_at(began + grace) as limit:
            with path.open("wb") as stream:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > settings.max_upload_bytes:
                        raise too_large(settings.max_upload_bytes)
                    stream.write(chunk)
                    digest.update(chunk)
                    allowed = settings.upload_grace_seconds + size / rate
                    limit.reschedule(began + min(allowed, settings.upload_seconds))
    except TimeoutError:
        raise Refused(
            408,
            f"the upload came slower than {settings.upload_kib_per_second:g} KiB/s, or took longer than "
            f"{settings.upload_seconds:g} s; send it over a faster connection",
        ) from None
    if not size:
        raise Refused(400, "the body is empty; send a .nii, a .nii.gz or a zip of DICOM files as the body itself")
    return digest.hexdigest()


def network_of(host: str) -> str:
    """Key that identifies a client: its IPv4 address, or its IPv6 /64 network, where it can use any address."""
    try:
        address = ip_address(host)
    except ValueError:  # the host of a Unix socket or a test client
        return host
    return host if address.version == 4 else str(ip_network(f"{address}/64", strict=False))


def too_large(limit_bytes: int) -> Refused:
    """Error 413 for an upload above the size limit."""
    return Refused(413, f"the upload is larger than the {limit_bytes / MIB:g} MiB that this service takes")


def unpack(upload: Path, settings: Settings) -> Path:
    """Unpack an upload in its folder for `ctseg.scans.read_scan.read_scan`, and delete the upload.

    Returns the path of a .nii, .nrrd or .mha file, or of a folder with one DICOM file or the files of a zip. Raises
    Refused: 413 for too large content, 415 for another format, 422 for damaged, dangerous or not 3-D content.
    """
    with upload.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    folder = upload.parent
    if head.startswith((ZIP, EMPTY_ZIP, SPANNED_ZIP)):
        scan = folder / "dicom"
        unpack_zip(upload, scan, settings)
    elif head.startswith(GZIP):
        scan = folder / "scan.nii"
        unpack_gzip(upload, scan, settings)
        check_nifti(scan, settings)
    elif head[128:132] == DICOM:
        scan = folder / "dicom"
        scan.mkdir()
        upload.rename(scan / "000000")
    elif header := volume_header(upload):
        check_volume(header, upload.stat().st_size, settings)
        scan = upload.rename(folder / f"scan{header.suffix}")
    else:
        scan = upload.rename(folder / "scan.nii")
        check_nifti(scan, settings)
    upload.unlink(missing_ok=True)
    return scan


def unpack_gzip(source: Path, target: Path, settings: Settings) -> None:
    """Decompress a .nii.gz within the limits and verify its checksum. Raises Refused."""
    from isal import igzip

    limit = limit_bytes(source.stat().st_size, settings)
    try:
        with igzip.open(source, "rb") as stream, target.open("wb") as output:
            _copy(stream, output, limit, lambda written: check_nifti_head(target, written, settings))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise Refused(422, f"the gzip file is cut or damaged ({type(error).__name__}); send it again") from None
    except Exception as error:
        if isinstance(error, Refused) or type(error).__module__.partition(".")[0] != "isal":
            raise
        raise Refused(422, "the gzip file is cut or damaged; send it again") from None


def unpack_zip(source: Path, folder: Path, settings: Settings) -> None:
    """Unpack a zip of DICOM files into a new `folder`, numbered, without hidden files and those in hidden folders.

    Raises Refused if it is damaged, unsafe, nested or empty.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            check_entries(entries, source.stat().st_size, settings)
            left = limit_bytes(source.stat().st_size, settings)
            for number, entry in enumerate(entry for entry in entries if not (entry.is_dir() or _is_hidden(entry))):
                with archive.open(entry) as stream, (folder / f"{number:06d}").open("wb") as output:
                    left -= _copy(stream, output, left, lambda _: None)
                _refuse_archive(folder / f"{number:06d}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refused(422, f"the zip is cut, damaged or of an unusual kind ({type(error).__name__})") from None
    if not any(folder.iterdir()):
        raise Refused(422, "the zip holds no file; send the DICOM files of one series")


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(entry.filename).parts)


def check_entries(entries: list[zipfile.ZipInfo], size: int, settings: Settings) -> None:
    """Raise Refused if a zip of `size` bytes lists too many or too large files, or unsafe, linked or encrypted ones."""
    if len(entries) > settings.max_entries:
        raise Refused(413, f"the zip holds more than the {settings.max_entries} files that this service takes")
    if sum(entry.file_size for entry in entries) > limit_bytes(size, settings):
        raise bomb(settings)
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise Refused(422, "the zip names a file outside of itself; pack the series' folder again")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(422, "the zip holds a link or a device; pack the files themselves")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(422, "the zip is compressed in another way than deflate; pack it again")
        if entry.flag_bits & 0x1:
            raise Refused(422, "the zip is encrypted; send it without a password")


def check_nifti_head(path: Path, written: int, settings: Settings) -> None:
    """Check the header once `written` bytes include it, so that a zip bomb after a bad header is not unpacked."""
    if written >= HEADER_BYTES:
        _shape(path, settings)


def check_nifti(path: Path, settings: Settings) -> None:
    """Raise Refused unless header and size show a complete 3-D NIfTI of real numbers with geometry, within limits."""
    header, shape = _shape(path, settings)
    needed = int(header["vox_offset"]) + int(np.prod(shape)) * header.get_data_dtype().itemsize
    if path.stat().st_size < needed:
        raise Refused(422, f"the NIfTI file is cut: its header announces {needed} bytes, {path.stat().st_size} came")
    try:
        read_nifti_grid(path)
    except InputError as error:
        raise Refused(422, told(error, path)) from None


def _shape(path: Path, settings: Settings) -> tuple[nib.Nifti1Header, list[int]]:
    """NIfTI header and sizes of the three spatial axes (x, y, z). Raises Refused: 415, 422 or 413."""
    with path.open("rb") as stream:
        raw = stream.read(HEADER_BYTES)
    kind_of_header = nifti_kind(raw).header_class
    raw = raw[: kind_of_header.sizeof_hdr]
    if len(raw) < kind_of_header.sizeof_hdr or b"n+" not in (raw[344:346], raw[4:6]):
        raise Refused(415, "this is no NIfTI, NRRD, MHA, DICOM file or zip of DICOM files, by its content")
    try:
        header = kind_of_header(raw, check=True)
        shape, kind, offset = list(header.get_data_shape()), header.get_data_dtype(), float(header["vox_offset"])
    except Exception as error:  # a damaged header can make nibabel fail in many ways
        raise Refused(422, f"the NIfTI header is damaged ({type(error).__name__})") from None
    if len(shape) < 3 or any(size != 1 for size in shape[3:]) or min(shape) < 1:
        raise Refused(422, f"the NIfTI file holds no single 3-D volume: its shape is {shape}")
    if max(shape) > settings.max_dimension or int(np.prod(shape, dtype=object)) > settings.max_voxels:
        raise Refused(413, f"the scan of {shape} voxels is larger than this service takes")
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise Refused(422, f"the NIfTI file holds values of type {kind}, not CT numbers")
    if not np.isfinite(offset) or offset < 0:
        raise Refused(422, "the NIfTI header is damaged: it does not say where the voxels begin")
    return header, shape[:3]


def told(error: Exception, path: Path) -> str:
    """Message of an error, with the path on the server replaced by "the upload"."""
    return str(error).replace(str(path), "the upload")


def _copy(stream: IO[bytes], output: IO[bytes], limit: int, look: Callable[[int], None]) -> int:
    """Copy a stream, call `look` after the first chunk, return the size. Raises Refused above `limit` bytes."""
    written = 0
    while chunk := stream.read(CHUNK):
        written += len(chunk)
        if written > limit:
            raise Refused(413, "the upload is too large when decompressed, or compressed too well for a scan")
        output.write(chunk)
        if written == len(chunk):
            output.flush()
            look(written)
    return written


def _refuse_archive(path: Path) -> None:
    """Raise Refused for a file of a zip that is an archive itself."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(ARCHIVES):
        raise Refused(422, "the zip holds another archive; pack the DICOM files themselves")
