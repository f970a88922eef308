"""Folder in which a server stores uploads and results.

Jobs outlive their server: the next server with the same parent folder takes over their folders. Each server holds a
lock in its own folder, so that no server takes over the jobs of a running server.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ctseg.errors import InputError
from serving.service.jobs import RECORD

LOCK = "lock"


@contextmanager
def spool(parent: Path) -> Iterator[Path]:
    """Private folder in `parent`; it also receives the job folders of servers that have ended.

    At the end, folders without a job record are deleted. Raises InputError if `parent` cannot be used, or belongs to
    another user, who could read the scans.
    """
    try:
        folder, own = _new_folder(parent)
    except OSError as error:
        raise InputError(
            f"the folder {parent} cannot be used ({error.strerror}); give another one with --folder"
        ) from None
    try:
        yield folder
    finally:
        clear(folder)
        own.close()


def _new_folder(parent: Path) -> tuple[Path, TextIO]:
    """A new folder in `parent` with the jobs of dead servers, and its lock file, open and locked. Raises OSError."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise InputError(f"the folder {parent} belongs to another user; give another one with --folder")
    with _locked(parent, fcntl.LOCK_EX):  # no other server is starting, so an unlocked folder belongs to a dead one
        folder = Path(tempfile.mkdtemp(prefix="server-", dir=parent))
        own = (folder / LOCK).open("w")
        fcntl.flock(own, fcntl.LOCK_EX)
        for left in parent.glob("server-*"):
            _take_over(left, folder)
    return folder, own


def _take_over(left: Path, folder: Path) -> None:
    """Move the jobs of a dead server to `folder` and delete its other files; skip a running server."""
    try:
        with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for record in left.glob(f"*/{RECORD}"):
                record.parent.rename(folder / record.parent.name)
            shutil.rmtree(left, ignore_errors=True)
    except BlockingIOError:
        return


def clear(folder: Path) -> None:
    """Delete all folders without a job record, and the whole folder if it contains no job."""
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
