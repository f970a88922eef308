"""What a look at a folder of data finds, and how it names what it found."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctseg.study.guessed_patterns import Guess, Parts

MOST_FILES = 200_000  # that are listed


@dataclass
class Look:
    """What was found: the section `cases` of a config, the labels, their names in files, and why, a line each.

    `rows` are those of a case table, where no pattern fits all cases; its path is not in `cases` yet.
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
    """Take structures by their names."""
    for place, name in enumerate(names, start=1):
        look.labels[clean_name(name)] = place
        if clean_name(name) != name:
            look.names_in_files[clean_name(name)] = name


def clean_name(name: str) -> str:
    """A name that a label may have in the config."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:60] or "label"


def pattern(folder: str, guess: Guess) -> str:
    """The pattern as it stands in a config."""
    return str(Path(folder, *guess.parts))


def walk(root: Path) -> Iterator[Parts]:
    """The parts of the path of each file below a folder, without hidden ones."""
    listed = 0
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            listed += 1
            if listed > MOST_FILES:
                return
            yield (*Path(place).relative_to(root).parts, name)
