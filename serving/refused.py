"""Error for rejected uploads and failed DICOMweb requests, and the size limit of unpacked uploads."""

from serving.settings import MIB, Settings

RATIO_FREE_BYTES = MIB  # small files of one value compress well and are no zip bombs


class Refused(Exception):
    """A rejected upload or a failed DICOMweb request, with HTTP status and a message for the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


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
