"""Temporary folders of the page, deleted after their use; those of a page that was killed, at the next start."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "ctseg-page-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A private folder whose name has the number of this process."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as name:
        yield Path(name)


def remove_leftovers() -> None:
    """Delete the folders of processes of this user that live no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        own = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        if own and number.isdigit() and not _lives(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    """Whether a process of this number is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
