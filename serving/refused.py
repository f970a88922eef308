"""The error for an upload that is rejected, and how large one may become when it is unpacked."""

from serving.settings import MIB, Settings

RATIO_FREE_BYTES = MIB  # little files of one value compress well without being bombs


class Refused(Exception):
    """An upload that is rejected, with the HTTP status and a sentence for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def limit_bytes(size: int, settings: Settings) -> int:
    """Largest size to which an upload of `size` bytes may be unpacked."""
    return min(settings.max_unpacked_bytes, max(RATIO_FREE_BYTES, int(size * settings.max_ratio)))


def bomb(settings: Settings) -> Refused:
    """The error for an archive whose content is too large."""
    return Refused(
        413,
        f"the upload is larger than {settings.max_unpacked_mib:g} MiB when decompressed, or more than "
        f"{settings.max_ratio:g} times its size: no scan is",
    )
