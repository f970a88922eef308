"""Temporary folders of the page, deleted after use; folders of a killed page are deleted at the next start."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "ctseg-page-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Private folder with the process id in its name, deleted at the end."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as name:
        yield Path(name)


def remove_leftovers() -> None:
    """Delete the folders of ended processes of this user."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        own = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        if own and number.isdigit() and not _lives(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # process of another user
        return True
    return True
