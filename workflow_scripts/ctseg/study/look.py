"""Findings in a folder of data, with names for labels and patterns, as used by `ctseg init`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctseg.errors import ConfigError
from ctseg.folders import walk_files
from ctseg.study.guessed_patterns import Guess, Parts

MOST_FILES = 1_000_000


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


def name_labels(names: Sequence[str], look: Look) -> None:
    """Add structures to the labels by their names, with the values 1, 2, …"""
    for place, name in enumerate(names, start=1):
        look.labels[clean_name(name)] = place
        if clean_name(name) != name:
            look.names_in_files[clean_name(name)] = name


def clean_name(name: str) -> str:
    """The name in a form that is allowed for a label in the config."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:60] or "label"


def pattern(folder: str, guess: Guess) -> str:
    """The pattern as written in a config, with its folder."""
    return str(Path(folder, *guess.parts))


def walk(root: Path) -> Iterator[Parts]:
    """Path parts of each file below a folder, relative to it, without hidden files.

    Raises ConfigError beyond `MOST_FILES` files.
    """
    for number, path in enumerate(walk_files(root)):
        if number == MOST_FILES:
            raise ConfigError(f"{root} holds more than {MOST_FILES:,} files; give a folder with fewer of them")
        yield path.relative_to(root).parts
