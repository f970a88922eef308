"""Finding files by a path pattern with {case} and {patient}."""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH110, PTH111, PTH118, PTH208

import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import islice, takewhile

from ctseg.errors import ConfigError

WILD = re.compile(r"({case}|{patient}|\*)")
NOT_HIDDEN = r"(?!\.)"


class Folders:
    """Listings of the folders below `root`; each folder is listed once, because a pattern is tried for every case."""

    def __init__(self, root: str) -> None:
        """Take relative paths as below `root`."""
        self.root = root
        self._names: dict[str, list[str]] = {}

    def exists(self, path: str) -> bool:
        """Whether a file or folder exists; `path` is relative to the root or absolute."""
        return os.path.exists(os.path.join(self.root, path))

    def names(self, folder: str, start: str) -> list[str]:
        """The names in the folder that begin with `start`, sorted; none if it is a file or does not exist.

        Raises ConfigError if the folder cannot be listed, since its cases would be lost.
        """
        if folder not in self._names:
            try:
                self._names[folder] = sorted(os.listdir(os.path.join(self.root, folder)))
            except (FileNotFoundError, NotADirectoryError):
                self._names[folder] = []
            except OSError as error:
                cure = "check its permissions and the disk, or let cases.image match other folders"
                raise ConfigError(f"the folder {folder} cannot be listed ({error.strerror}); {cure}") from None
        names = self._names[folder]
        first = bisect_left(names, start)
        return list(takewhile(lambda name: name.startswith(start), islice(names, first, None)))


def find_paths(
    pattern: str, folders: Folders, known: Mapping[str, str] | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each path that matches the pattern, sorted, with the values of {case} and {patient} in it.

    {case}, {patient} and * match a part of one file or folder name, as short as possible, and never the dot of a hidden
    file. A field that occurs twice has the same value at both places; `known` values are inserted beforehand. The
    pattern is relative to the root of `folders` or absolute, and so are the paths.
    """
    pattern = os.path.normpath(os.path.expanduser(pattern))
    start = "/" if pattern.startswith("/") else ""
    yield from _walk(folders, start, pattern.strip("/").split("/"), dict(known or {}))


def _walk(folders: Folders, folder: str, parts: list[str], fields: dict[str, str]) -> Iterator[tuple[str, dict]]:
    if not parts:
        yield folder, fields
        return
    start, expression = _translate(parts[0], fields)
    if expression is None:
        path = os.path.join(folder, start)
        if folders.exists(path):
            yield from _walk(folders, path, parts[1:], fields)
        return
    for name in folders.names(folder, start):
        match = expression.fullmatch(name)
        if match:
            yield from _walk(folders, os.path.join(folder, name), parts[1:], fields | match.groupdict())


def _translate(part: str, fields: Mapping[str, str]) -> tuple[str, re.Pattern | None]:
    """The text with which a name must begin, and the expression that it must match; None if it must equal the text."""
    start, expression = "", ""
    for piece in WILD.split(part):
        name = piece[1:-1] if WILD.fullmatch(piece) else None
        if name is None or name in fields:
            text = piece if name is None else fields[name]
            start += "" if expression else text
            expression += re.escape(text) if expression else ""
        else:
            expression = expression or ("" if start else NOT_HIDDEN) + re.escape(start)
            again = f"(?P<{name}>" in expression
            expression += ".*?" if piece == "*" else f"(?P={name})" if again else f"(?P<{name}>.+?)"
    return start, re.compile(expression) if expression else None
