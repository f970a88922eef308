"""Which of a file's named structures, ROIs or segments, belong to a label."""

import re
from collections.abc import Sequence

from ctseg.errors import InputError


def find_structures(
    present: Sequence[str], wanted: Sequence[str], path: str, kind: str, missing_ok: bool = False
) -> list[int]:
    """The places in `present` of the structures that `wanted` names, each once, in the order of the file.

    A name is compared exactly first, then without regard to case and surrounding spaces, and must fit one structure.
    A name between slashes is a regular expression that must fit a whole name, without regard to case; all that it fits
    are taken. `kind` ("ROI", "segment") is for messages. Raises InputError when a name fits several structures or,
    unless `missing_ok`, none; the message lists those that are there.
    """
    found: set[int] = set()
    for name in wanted:
        places = _fitting(present, name)
        several = len(places) > 1 and not _is_pattern(name)
        if several or (not places and not missing_ok):
            problem = f"{len(places)} {kind}s" if several else f"no {kind}"
            there = ", ".join(sorted(present)) or "none"
            raise InputError(f"{path} has {problem} called {name}; set target.roi_names to one or more of: {there}")
        found |= set(places)
    return sorted(found)


def bad_pattern(name: str) -> str:
    """Why a name between slashes is no regular expression, empty if it is one or no such name."""
    try:
        re.compile(name.strip("/") if _is_pattern(name) else "")
    except re.error as error:
        return str(error)
    return ""


def _is_pattern(name: str) -> bool:
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


def _fitting(present: Sequence[str], name: str) -> list[int]:
    """The places of the structures that a name or pattern fits."""
    if _is_pattern(name):
        pattern = re.compile(name[1:-1], re.IGNORECASE)
        return [place for place, other in enumerate(present) if pattern.fullmatch(other.strip())]
    exact = [place for place, other in enumerate(present) if other == name]
    folded = name.strip().casefold()
    return exact or [place for place, other in enumerate(present) if other.strip().casefold() == folded]
