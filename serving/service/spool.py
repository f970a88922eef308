"""The folder in which a server keeps uploads and results; remains of killed servers are deleted."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctseg.errors import InputError

LOCK = "lock"


@contextmanager
def spool(parent: Path) -> Iterator[Path]:
    """A new private folder in `parent`, deleted at the end; what servers that live no more left there is deleted first.

    Raises InputError where `parent` belongs to somebody else, who could read along.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise InputError(f"the folder {parent} belongs to another user; give another one with --folder")
    for left in parent.glob("server-*"):
        _remove_if_dead(left)
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=parent))
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(folder: Path) -> None:
    """Delete the folder of a server, unless that server holds its lock."""
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except FileNotFoundError:  # killed before the lock was made, or just starting
        return
    shutil.rmtree(folder, ignore_errors=True)
