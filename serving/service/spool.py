"""The folder in which a server keeps uploads and results.

Jobs outlive their server: the next one with the same parent folder takes over their folders. Each server holds a lock
in its own folder, so that none takes what belongs to one that runs.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctseg.errors import InputError
from serving.service.jobs import RECORD

LOCK = "lock"


@contextmanager
def spool(parent: Path) -> Iterator[Path]:
    """A private folder in `parent`, with the folders of the jobs that servers left there which live no more.

    At the end what belongs to no job is deleted. Raises InputError where `parent` belongs to somebody else, who could
    read along.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise InputError(f"the folder {parent} belongs to another user; give another one with --folder")
    with _locked(parent, fcntl.LOCK_EX):  # a folder without a lock is that of a dead server, and of none that starts
        folder = Path(tempfile.mkdtemp(prefix="server-", dir=parent))
        own = (folder / LOCK).open("w")
        fcntl.flock(own, fcntl.LOCK_EX)
        for left in parent.glob("server-*"):
            _take_over(left, folder)
    try:
        yield folder
    finally:
        clear(folder)
        own.close()


def _take_over(left: Path, folder: Path) -> None:
    """Move the jobs of a dead server to `folder`, and delete what else it left."""
    try:
        with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for record in left.glob(f"*/{RECORD}"):
                record.parent.rename(folder / record.parent.name)
            shutil.rmtree(left, ignore_errors=True)
    except BlockingIOError:
        return


def clear(folder: Path) -> None:
    """Delete what belongs to no job, and the folder if nothing is left."""
    jobs = {record.parent for record in folder.glob(f"*/{RECORD}")}
    if not jobs:
        shutil.rmtree(folder, ignore_errors=True)
    for path in set(folder.iterdir()) - jobs - {folder / LOCK} if jobs else ():
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock of a folder. Raises BlockingIOError if another process holds it and `how` does not wait."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, how)
        yield
