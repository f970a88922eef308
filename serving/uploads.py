"""Safe handling of uploads: size limit during the transfer, format detection by content, unpacking within limits.

This module reports all errors that can be found without reading voxels or DICOM elements, as a `Refused` with an HTTP
status; an OSError comes from the disk (see `refused.disk_faults_told`). No content of an upload is executed and no file
name in it becomes a path.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable
from ipaddress import ip_address, ip_network
from pathlib import Path

import nibabel as nib
import numpy as np

from ctseg.errors import InputError
from ctseg.scans.nifti import HEADER_BYTES, nifti_kind, read_nifti_grid
from serving.refused import Refused
from serving.settings import MIB, Settings
from serving.unpacking import EMPTY_ZIP, GZIP, SPANNED_ZIP, ZIP, unpack_gzip, unpack_zip
from serving.volume_headers import check_volume, volume_header

DICOM = b"DICM"  # after a preamble of 128 arbitrary bytes


async def receive(chunks: AsyncIterable[bytes], path: Path, settings: Settings) -> str:
    """Write a body to `path` during the transfer; return its SHA-256.

    Raises Refused if it is empty, too large or too slow, and OSError if the disk fails.
    """
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
        unpack_gzip(upload, scan, settings, lambda written: check_nifti_head(scan, written, settings))
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
