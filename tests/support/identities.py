"""Marks of an identity, and a search for them in files."""

import gzip
from pathlib import Path

MARK = "Zyxwvu"


MARK_UID = "1.2.752.777.888"


MARK_DATE = "18990817"


MARKS = [mark.encode() for mark in (MARK, MARK.upper(), MARK_UID, MARK_DATE)]


def contents(folder: Path):
    """Path and (uncompressed) bytes of every file below the folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path, gzip.decompress(data) if path.suffix == ".gz" else data


def found_in(folder: Path) -> list[str]:
    """Paths of the files with a mark in their path or content."""
    return [str(path) for path, data in contents(folder) if any(mark in str(path).encode() + data for mark in MARKS)]
