"""Large volumes in a memory-mapped file, so that a long scan takes no more memory than a short one.

A volume is mapped like an uncompressed NIfTI file: pages are read on access, and released pages are read again on the
next access. The system caches the file in free memory, and frees the cache when another program needs the memory.
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

from ctseg.errors import InputError, MachineError

LARGE_BYTES = 2**26  # least size of a volume in a file: 128 slices of 512 × 512 HU
MOST_BYTES = 2**36  # no scan is larger: a header that says so is wrong, and not the machine too small
SLAB_BYTES = 2**25  # part of a volume that is read or written between two calls of `let_go`


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Array of zeros; from `LARGE_BYTES` on in a temporary file without a name, which is deleted with the array.

    The file is in the folder of TMPDIR. If the folder has too little space, or the system cannot reserve space, the
    array is in memory. Raises MachineError if memory is too small as well, and InputError if no machine has room for
    such a volume; free memory is checked before allocation.
    """
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if n_bytes >= LARGE_BYTES and hasattr(os, "posix_fallocate"):
        try:
            with tempfile.TemporaryFile() as file:
                # Reserve the space now: without it, writing to the mapped file would kill the process.
                os.posix_fallocate(file.fileno(), 0, n_bytes)
                return np.memmap(file, dtype, "r+", shape=shape)
        except OSError:
            _require_memory(n_bytes)
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError):
        raise _too_large(n_bytes, None) from None


def _require_memory(n_bytes: int) -> None:
    """Raise an error if the system reports less free memory than `n_bytes`."""
    known = Path("/proc/meminfo")
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", known.read_text(), re.MULTILINE) if known.exists() else None
    if found and n_bytes > int(found[1]) * 1024:
        raise _too_large(n_bytes, int(found[1]) * 1024)


def _too_large(n_bytes: int, free_bytes: int | None) -> InputError:
    """The error for a volume that is too large for this machine, with advice."""
    kind = InputError if n_bytes > MOST_BYTES else MachineError
    free = f" of which {free_bytes / 2**30:.1f} GiB are free," if free_bytes is not None else ""
    return kind(
        f"a volume of {n_bytes / 2**30:.1f} GiB does not fit into memory,{free} nor into the folder of TMPDIR "
        f"({tempfile.gettempdir()}); check the size of the scan, or let TMPDIR name a folder with room"
    )


def let_go(volume: np.ndarray) -> None:
    """Release the memory of a mapped file or of a view of one; no effect on other arrays."""
    array: Any = volume
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base  # the array under a view
    # Mode "c" (copy on write) would lose the values that were written.
    if isinstance(array, np.memmap) and array.mode in ("r", "r+") and hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def by_slab(*volumes: np.ndarray) -> Iterator[slice]:
    """Slices along the first axis that together cover volumes of equal length.

    A slab has at most `SLAB_BYTES` of each volume, but at least one index. Memory is released after each slab.
    """
    length = len(volumes[0])
    row_bytes = max(volume.nbytes // max(1, length) for volume in volumes)
    rows = max(1, SLAB_BYTES // max(1, row_bytes))
    for start in range(0, length, rows):
        yield slice(start, min(start + rows, length))
        for volume in volumes:
            let_go(volume)
