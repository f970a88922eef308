"""Error for rejected uploads and failed DICOMweb requests, and the size limit of unpacked uploads."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from serving.settings import MIB, Settings

RATIO_FREE_BYTES = MIB  # small files of one value compress well and are no zip bombs
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Refused(Exception):
    """A rejected upload or a failed DICOMweb request, with HTTP status and a message for the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def disk_faults_told() -> Iterator[None]:
    """Raise an OSError of the block as Refused 507: the block uses no files but those that this program made."""
    try:
        yield
    except OSError as error:
        raise _of_disk(error) from None


def _of_disk(error: OSError) -> Refused:
    """Error 507 for an upload that the machine cannot store; it names no path."""
    if error.errno in NO_ROOM:
        return Refused(507, "there is no room left for the upload on the disk; free some, or try again later")
    why = error.strerror or type(error).__name__
    return Refused(507, f"the files of the upload cannot be written or read on the disk ({why}); check that disk")


def limit_bytes(size: int, settings: Settings) -> int:
    """Size limit in bytes of the unpacked content of an upload of `size` bytes."""
    return min(settings.max_unpacked_bytes, max(RATIO_FREE_BYTES, int(size * settings.max_ratio)))


def bomb(settings: Settings) -> Refused:
    """Error 413 for an upload with too large unpacked content."""
    return Refused(
        413,
        f"the upload is larger than {settings.max_unpacked_mib:g} MiB when decompressed, or more than "
        f"{settings.max_ratio:g} times its size: no scan is",
    )
