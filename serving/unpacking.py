"""Decompression of uploads, gzip and zip, within the limits of the settings.

No file name in an archive becomes a path: unpacked files get numbers as names, see `numbered`. What is damaged,
dangerous or too large is a `Refused`; an OSError comes from the disk alone.
"""

import errno
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from ctseg.file_types import DICOM_SUFFIXES
from serving.refused import Refused, bomb, limit_bytes
from serving.settings import MIB, Settings

CHUNK = MIB
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
EMPTY_ZIP, SPANNED_ZIP = b"PK\x05\x06", b"PK\x07\x08"
ARCHIVES = (GZIP, ZIP, EMPTY_ZIP, SPANNED_ZIP, b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
DIRECTORY = "DICOMDIR"
MOST_ENTRY_BYTES = 1024  # of an entry in the table of contents of a zip, on average: 46 bytes, its name and remarks
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def numbered(number: int, name: str) -> str:
    """File name for the uploaded file `name`: a number, and a suffix that tells the DICOM reader as much as its own.

    The reader takes a file with a DICOM suffix, or an empty one without letters in its suffix, for a slice that may be
    damaged, and leaves out others that are not DICOM.
    """
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if suffix not in DICOM_SUFFIXES:
        suffix = ".other" if any(letter.isalpha() for letter in suffix) else ""
    return f"{number:06d}{suffix}"


def is_left_out(name: str) -> bool:
    """Whether the DICOM reader would leave out an uploaded file by its name: hidden ones, and a DICOMDIR."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part.startswith(".") or part.upper() == DIRECTORY for part in parts)


def unpack_gzip(source: Path, target: Path, settings: Settings, look: Callable[[int], None]) -> None:
    """Decompress a gzip file within the limits and verify its checksum; `look` gets the size of the first piece.

    Raises Refused, and OSError if the disk fails.
    """
    from isal import igzip, igzip_lib

    limit = limit_bytes(source.stat().st_size, settings)
    try:
        with igzip.open(source, "rb") as stream, target.open("wb") as output:
            _copy(stream, output, limit, look)
    except (igzip_lib.IsalError, *DAMAGE) as error:  # type: ignore[misc]  # the stub makes it an instance
        told = Refused(422, f"the gzip file is cut or damaged ({type(error).__name__}); send it again")
        raise _of_file_or_disk(error, told) from None


def unpack_zip(source: Path, folder: Path, settings: Settings) -> None:
    """Unpack a zip of DICOM files into a new `folder`, with the names of `numbered`, without those of `is_left_out`.

    Raises Refused if it is damaged, unsafe, nested or empty, and OSError if the disk fails.
    """
    folder.mkdir()
    try:
        check_table_of_contents(source, settings)
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            check_entries(entries, source.stat().st_size, settings)
            left = limit_bytes(source.stat().st_size, settings)
            files = (entry for entry in entries if not (entry.is_dir() or is_left_out(entry.filename)))
            for number, entry in enumerate(files):
                path = folder / numbered(number, entry.filename)
                with archive.open(entry) as stream, path.open("wb") as output:
                    left -= _copy(stream, output, left, lambda _: None)
                _refuse_archive(path)
    except (*DAMAGE, RuntimeError) as error:
        told = Refused(422, f"the zip is cut, damaged or of an unusual kind ({type(error).__name__})")
        raise _of_file_or_disk(error, told) from None
    if not any(folder.iterdir()):
        raise Refused(422, "the zip holds no file; send the DICOM files of one series")


def check_table_of_contents(source: Path, settings: Settings) -> None:
    """Raise Refused if a zip announces too many files, or too many bytes about them.

    `ZipFile` makes an object of each entry, 600 bytes for 46 in the file, before anyone can count them. The function
    that it finds the announcement by, also that of zip64, is asked here, so that both read the same one. The number of
    entries is not binding, but no more than the announced bytes are read.
    """
    with source.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    if end is None:
        return  # no zip, as `ZipFile` will say
    if end[zipfile._ECD_ENTRIES_TOTAL] > settings.max_entries:  # type: ignore[attr-defined]
        raise _too_many(settings)
    if end[zipfile._ECD_SIZE] > settings.max_entries * MOST_ENTRY_BYTES:  # type: ignore[attr-defined]
        raise Refused(
            413, f"the table of contents of the zip is too large for the {settings.max_entries} files that are taken"
        )


def check_entries(entries: list[zipfile.ZipInfo], size: int, settings: Settings) -> None:
    """Raise Refused if a zip of `size` bytes lists too many or too large files, or unsafe, linked or encrypted ones."""
    if len(entries) > settings.max_entries:
        raise _too_many(settings)
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


def _too_many(settings: Settings) -> Refused:
    return Refused(413, f"the zip holds more than the {settings.max_entries} files that this service takes")


def _of_file_or_disk(error: Exception, damaged: Refused) -> Exception:
    """`damaged`, or the error itself if it comes from the disk.

    Of the OSErrors of a decompressor, BadGzipFile has no number, and a seek to before the file's beginning has EINVAL.
    """
    of_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
    return error if of_disk else damaged


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
