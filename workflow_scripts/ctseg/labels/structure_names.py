"""Which of a file's named structures, ROIs or segments, belong to a label.

Names are compared as people read them: in one Unicode form, with blanks of any kind squeezed to one, and without marks
that have no width.
"""

import re
import unicodedata
from collections.abc import Sequence

from ctseg.errors import LabelError

NO_WIDTH = ("Cf", "Cc")  # Unicode categories: soft hyphens, joiners, byte order marks, control characters


def find_structures(
    present: Sequence[str], wanted: Sequence[str], path: str, kind: str, missing_ok: bool = False, label: str = "name"
) -> list[int]:
    """The places in `present` of the structures that `wanted` names, each once, in the order of the file.

    A name must fit one structure: character by character, else as it is read, else without regard to case as well. A
    name between slashes is a regular expression that must fit a whole name as it is read, without regard to case; all
    that it fits are taken. `kind` ("ROI", "segment") and `label` are for messages. Raises LabelError when a name fits
    several structures or, unless `missing_ok`, none; the message quotes those that are there.
    """
    found: set[int] = set()
    for name in wanted:
        places = _fitting(present, name)
        if len(places) > 1 and not _is_pattern(name):
            raise LabelError(_several([present[place] for place in places], name, path, kind, label))
        if not places and not missing_ok:
            there = ", ".join(sorted(map(quoted, present))) or "none"
            raise LabelError(
                f"{path} has no {kind} called {quoted(name)}; set target.roi_names: {{{label}: …}} to one or more of: "
                f"{there}"
            )
        found |= set(places)
    return sorted(found)


def as_read(name: str) -> str:
    """A name in one Unicode form (NFKC), without marks that have no width, blanks squeezed."""
    plain = unicodedata.normalize("NFKC", " ".join(name.split()))
    seen = "".join(letter for letter in plain if unicodedata.category(letter) not in NO_WIDTH)
    return " ".join(seen.split())


def quoted(name: str) -> str:
    """A name between quotation marks, blanks and marks without width made visible where there are odd ones."""
    shown = "".join(
        f"\\u{ord(letter):04x}"
        if unicodedata.category(letter) in NO_WIDTH or (letter.isspace() and letter != " ")
        else letter
        for letter in name
    )
    return f'"{shown}"'


def bad_pattern(name: str) -> str:
    """Why a name between slashes is not a regular expression, empty if it is one or no such name."""
    try:
        re.compile(name[1:-1] if _is_pattern(name) else "")
    except re.error as error:
        return str(error)
    return ""


def _several(fitting: Sequence[str], name: str, path: str, kind: str, label: str) -> str:
    """What is wrong with a name that several structures have, and what helps: a pattern unites them."""
    pattern = "/" + re.escape(as_read(name)).replace("\\ ", " ").replace("\\-", "-") + "/"
    names = sorted(set(fitting))
    one = "" if len(names) < len(fitting) else f", or name one of them: {', '.join(map(quoted, names))}"
    return (
        f"{path} has {len(fitting)} {kind}s called {quoted(name)}; to unite them set target.roi_names: "
        f"{{{label}: '{pattern}'}}{one}"
    )


def _is_pattern(name: str) -> bool:
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


def _fitting(present: Sequence[str], name: str) -> list[int]:
    """The places of the structures that a name or pattern fits."""
    if _is_pattern(name):
        stored, read = (re.compile(text, re.IGNORECASE) for text in (name[1:-1], as_read(name)[1:-1]))
        fits = (bool(stored.fullmatch(other.strip()) or read.fullmatch(as_read(other))) for other in present)
        return [place for place, fitting in enumerate(fits) if fitting]
    for form in (str, as_read, lambda text: as_read(as_read(text).casefold())):
        places = [place for place, other in enumerate(present) if form(other) == form(name)]
        if places:
            return places
    return []
