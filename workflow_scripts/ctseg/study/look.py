"""Findings in a folder of data, with names for labels and patterns, as used by `ctseg init`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ctseg.errors import ConfigError
from ctseg.file_types import is_text
from ctseg.folders import walk_files
from ctseg.study.guessed_patterns import Guess, Parts

MOST_FILES = 1_000_000
LONGEST = 60  # characters in the name of a label, by the schema of the config


@dataclass
class Look:
    """Findings in a folder of data, for a study file.

    `cases` is the config's section of this name, `labels` has values by name, `names_in_files` the names in the label
    files that differ from these, `reasons` one line per decision; `scans` and `labelled` are numbers of cases. `rows`
    are the rows of a case table if no pattern fits all cases; the path of the table is not in `cases` yet.
    """

    cases: dict[str, str]
    labels: dict[str, int] = field(default_factory=dict)
    names_in_files: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    in_lungs: bool = False
    scans: int = 0
    labelled: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)


def name_labels(names: Sequence[str], look: Look, values: Sequence[int] | None = None) -> None:
    """Add structures to the labels by their names, with the given values or 1, 2, …"""
    for name, given, value in zip(names, config_names(names), values or count(1), strict=False):
        look.labels[given] = value
        if given != name:
            look.names_in_files[given] = _literal(name)


def config_names(names: Sequence[str]) -> list[str]:
    """A name for each of `names` that the config allows for a label, all of them different.

    Names that are allowed stay as they are. A name without an ASCII letter becomes `label_1`, `label_2`, … in the order
    of `names`; of several names with one clean form the later ones get a number.
    """
    allowed, given = {name for name in names if clean_name(name) == name}, list[str]()
    for name in names:
        stays = name in allowed and name not in given
        given.append(name if stays else next(form for form in _forms(name) if form not in allowed.union(given)))
    return given


def clean_name(name: str) -> str:
    """The name if it is allowed for a label in the config, else with `_` for other characters.

    Empty if nothing would be left that tells the name from others, that is, no ASCII letter.
    """
    if re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST}}}", name):
        return name
    clean = re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:LONGEST]
    return clean if re.search(r"[A-Za-z]", clean) else ""


def _forms(name: str) -> Iterator[str]:
    """Names that the config allows for a label, by increasing number: its clean form first, if it has one."""
    clean = clean_name(name)
    if clean:
        yield clean
    for number in count(2 if clean else 1):
        yield f"{clean[: LONGEST - 5] or 'label'}_{number}"


def _literal(name: str) -> str:
    """The name for `target.roi_names`, where a name between slashes is a regular expression."""
    return f"/{re.escape(name)}/" if name.startswith("/") and name.endswith("/") else name


def require_utf8(path: str | Path) -> None:
    """Raise ConfigError for a path with bytes that are not UTF-8, which no study file can hold."""
    if not is_text(path):
        raise ConfigError(
            f"the name of {path} is not UTF-8 text, as names from a zip of another system may be; rename it, "
            "for example all of a folder with `convmv -r -f gbk -t utf-8 --notest FOLDER`"
        )


def pattern(folder: str, guess: Guess) -> str:
    """The pattern as written in a config, with its folder."""
    return str(Path(folder, *guess.parts))


def walk(root: Path) -> Iterator[Parts]:
    """Path parts of each file below a folder, relative to it, without hidden files.

    Raises ConfigError beyond `MOST_FILES` files, and for a name that is not UTF-8.
    """
    for number, path in enumerate(walk_files(root)):
        if number == MOST_FILES:
            raise ConfigError(f"{root} holds more than {MOST_FILES:,} files; give a folder with fewer of them")
        require_utf8(path)
        yield path.relative_to(root).parts
