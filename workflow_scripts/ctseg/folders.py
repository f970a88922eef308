"""Content of the user's folders, without what systems and programs hide there: names that begin with a dot."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def visible_names(folder: str | Path) -> list[str]:
    """The names in a folder, sorted, without hidden ones; none if the folder is missing or cannot be listed."""
    try:
        return [path.name for path in visible_paths(Path(folder))]
    except OSError:
        return []


def visible_paths(folder: Path) -> list[Path]:
    """The files and folders in a folder, sorted, without hidden ones. Raises OSError."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def walk_files(folder: Path, unreadable: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The files in and below a folder, folder by folder in sorted order, without hidden files and folders.

    Links to folders are followed; a folder that is reached twice is listed once. `unreadable` is called with the error
    of each folder that cannot be listed; without it, such folders are left out.
    """
    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        # Of several links to one folder the first by name is followed.
        targets = {os.path.realpath(Path(place, name)): name for name in reversed(_visible(folders))}
        folders[:] = sorted(name for target, name in targets.items() if target not in seen)
        seen.update(targets)
        yield from (Path(place, name) for name in _visible(names))


def _visible(names: list[str]) -> list[str]:
    """The names that are not hidden, sorted."""
    return sorted(name for name in names if not name.startswith("."))
