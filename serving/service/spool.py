"""Folder in which a server stores uploads and results.

Jobs outlive their server: the next server with the same parent folder takes over their folders. Each server holds
locks on its own folder, so that no server takes over the jobs of a running server. Nothing else in the parent folder is
touched, since it may be any folder of the user: the names of server folders are like no others.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ctseg.errors import InputError
from serving.service.job import RECORD

PREFIX, RANDOM_LETTERS = "ctseg-server-", 8  # as `mkdtemp` names folders
LOCK = ".ctseg-lock"


@contextmanager
def spool(parent: Path) -> Iterator["Held"]:
    """Private folder in `parent`; it also receives the job folders of servers that have ended.

    At the end, folders without a job record are deleted. Raises InputError if `parent` cannot be used, or belongs to
    another user, who could read the scans.
    """
    try:
        held = _new_folder(parent)
    except OSError as error:
        raise InputError(
            f"the folder {parent} cannot be used ({error.strerror}); give another one with --folder"
        ) from None
    try:
        yield held
    finally:
        clear(held.path)
        held.close()


class Held:
    """Folder of a running server, locked until `close`.

    The lock on the folder itself lasts whatever becomes of the files in it, and systemd's cleaner of temporary files
    passes over a locked folder. Where the folder is on NFS, only a lock on a file is seen by other machines.
    """

    def __init__(self, path: Path) -> None:
        """Lock an existing folder. Raises OSError."""
        self.path, self._locks = path, ExitStack()
        self._lock()

    def _lock(self) -> None:
        self._locks.enter_context(_locked(self.path, os.O_RDONLY | os.O_DIRECTORY))
        self._locks.enter_context(_locked(self.path / LOCK, os.O_RDWR | os.O_CREAT))

    def renew(self) -> None:
        """Make and lock the folder again if another program has deleted it. Raises OSError."""
        if not self.path.is_dir():
            self.close()
            self.path.mkdir(mode=0o700, parents=True)
            self._lock()

    def close(self) -> None:
        """Release the locks."""
        self._locks.close()


def _new_folder(parent: Path) -> Held:
    """A new folder in `parent` with the jobs of dead servers. Raises OSError."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise InputError(f"the folder {parent} belongs to another user; give another one with --folder")
    with _locked(parent / LOCK, os.O_RDWR | os.O_CREAT):  # no other server is starting: who has no lock is dead
        held = Held(Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)))
        for left in parent.glob(PREFIX + "?" * RANDOM_LETTERS):
            if left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.getuid():
                _take_over(left, held.path)
    return held


def _take_over(left: Path, folder: Path) -> None:
    """Move the jobs of a dead server to `folder` and delete its other files; skip a running server."""
    with ExitStack() as locks:
        try:
            locks.enter_context(_locked(left, os.O_RDONLY | os.O_DIRECTORY, fcntl.LOCK_NB))
            if (left / LOCK).exists():  # else a cleaner of temporary files has deleted it
                locks.enter_context(_locked(left / LOCK, os.O_RDWR, fcntl.LOCK_NB))
        except BlockingIOError:
            return
        for record in left.glob(f"*/{RECORD}"):
            record.parent.rename(folder / record.parent.name)
        shutil.rmtree(left, ignore_errors=True)


def clear(folder: Path) -> None:
    """Delete all folders without a job record, and the whole folder if it contains no job."""
    jobs = {record.parent for record in folder.glob(f"*/{RECORD}")}
    if not jobs:
        shutil.rmtree(folder, ignore_errors=True)
    for path in set(folder.iterdir()) - jobs - {folder / LOCK} if jobs else ():
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path, flags: int, how: int = 0) -> Iterator[None]:
    """Hold the lock of a file or folder, opened with `flags`.

    Raises BlockingIOError if another process holds it and `how` says not to wait.
    """
    opened = os.open(path, flags, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(opened)
