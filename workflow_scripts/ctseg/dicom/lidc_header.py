"""The beginning of an XML file of LIDC-IDRI, which names the series; few imports, like all code that finds cases."""

import re
from pathlib import Path

SERIES_UID = re.compile(rb"<(?:\w+:)?SeriesInstanceU[Ii][Dd]>\s*([0-9.]+)\s*<")
X_RAY = b"IdriReadMessage"
HEADER_BYTES = 4096  # the response header with the series UID ends within 1,200 bytes


def head_of(path: str | Path) -> bytes:
    """The first `HEADER_BYTES` bytes of a file; empty if it cannot be read."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 (three times as fast)
            return stream.read(HEADER_BYTES)
    except OSError:
        return b""
