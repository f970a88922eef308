"""Large volumes in a file instead of in memory, so that a long scan takes no more memory than a short one.

Such a volume is mapped like an uncompressed NIfTI file: what is touched is read, and what was let go of is read again
when it is needed. The system keeps the file in what memory is free, and gives that up for anything that needs it.
"""

import mmap
import os
import re
import tempfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.errors import InputError

LARGE_BYTES = 2**26  # from which a volume lies in a file: 128 slices of 512 × 512 HU
SLAB_BYTES = 2**25  # of a volume that is touched between letting go of it


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros; a large one lies in a temporary file without a name, which is gone with the array.

    The file is in the folder that TMPDIR names. Where it has no room, and on systems that cannot promise room, the
    array is in memory. Raises InputError where that has no room, either: it is asked before memory is taken.
    """
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if n_bytes >= LARGE_BYTES and hasattr(os, "posix_fallocate"):
        try:
            with tempfile.TemporaryFile() as file:
                # Room that is missing must be told now: a mapped file would end the process when it is written to.
                os.posix_fallocate(file.fileno(), 0, n_bytes)
                return np.memmap(file, dtype, "r+", shape=shape)
        except OSError:
            _require_memory(n_bytes)
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError):
        raise InputError(_too_large(n_bytes, None)) from None


def _require_memory(n_bytes: int) -> None:
    """Raise InputError where the system says that it has less memory than `n_bytes`."""
    known = Path("/proc/meminfo")
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", known.read_text(), re.MULTILINE) if known.exists() else None
    if found and n_bytes > int(found[1]) * 1024:
        raise InputError(_too_large(n_bytes, int(found[1]) * 1024))


def _too_large(n_bytes: int, free_bytes: int | None) -> str:
    """That a volume is too large for this machine, and what to do."""
    free = f" of which {free_bytes / 2**30:.1f} GiB are free," if free_bytes is not None else ""
    return (
        f"a volume of {n_bytes / 2**30:.1f} GiB does not fit into memory,{free} nor into the folder of TMPDIR "
        f"({tempfile.gettempdir()}); check the size of the scan, or let TMPDIR name a folder with room"
    )


def let_go(volume: np.ndarray) -> None:
    """Give back the memory in which parts of a mapped file stand; of any other array nothing happens."""
    array: Any = volume
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base  # what a view shows
    # A private copy of a file ("c") would lose what was written to it.
    if isinstance(array, np.memmap) and array.mode in ("r", "r+") and hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def by_slab(*volumes: np.ndarray) -> Iterator[slice]:
    """Slices along the first axis that together are the whole of volumes of one length.

    Each is small enough to be worked on at once, and the volumes are let go of after it.
    """
    length = len(volumes[0])
    row_bytes = max(volume.nbytes // max(1, length) for volume in volumes)
    rows = max(1, SLAB_BYTES // max(1, row_bytes))
    for start in range(0, length, rows):
        yield slice(start, min(start + rows, length))
        for volume in volumes:
            let_go(volume)
