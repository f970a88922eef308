"""Find the structures (ROIs, segments, files) of a label by their names.

Names are compared in one Unicode form, with white space of any kind reduced to one blank, and without characters that
have no width.
"""

import re
import unicodedata
from collections.abc import Sequence

from ctseg.errors import LabelError

NO_WIDTH = ("Cf", "Cc")  # Unicode categories of soft hyphens, joiners, byte order marks, control characters


def find_structures(
    present: Sequence[str], wanted: Sequence[str], path: str, kind: str, missing_ok: bool = False, label: str = "name"
) -> list[int]:
    """Indices in `present` of the structures that match a name in `wanted`, each once, in the order of the file.

    A name must match one structure: exactly, else in the form of `as_read`, else also without regard to case. A name
    between slashes is a regular expression that must match a whole name, as stored or in the form of `as_read`, without
    regard to case; all matches are used. `kind` ("ROI", "segment") and `label` are for messages. Raises LabelError if a
    name matches several structures or, unless `missing_ok`, none; the message then quotes the structures in the file.
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
    """The name in Unicode form NFKC, without characters that have no width, with single blanks."""
    plain = unicodedata.normalize("NFKC", " ".join(name.split()))
    seen = "".join(letter for letter in plain if unicodedata.category(letter) not in NO_WIDTH)
    return " ".join(seen.split())


def quoted(name: str) -> str:
    """The name in quotation marks; characters without width and unusual blanks as `\\u` escapes."""
    shown = "".join(
        f"\\u{ord(letter):04x}"
        if unicodedata.category(letter) in NO_WIDTH or (letter.isspace() and letter != " ")
        else letter
        for letter in name
    )
    return f'"{shown}"'


def bad_pattern(name: str) -> str:
    """Error of a name between slashes that is not a valid regular expression; empty for all other names."""
    try:
        re.compile(name[1:-1] if _is_pattern(name) else "")
    except re.error as error:
        return str(error)
    return ""


def _several(fitting: Sequence[str], name: str, path: str, kind: str, label: str) -> str:
    """Error message for a name that matches several structures, with a pattern that unites them."""
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
    """Indices of the structures that match a name or pattern."""
    if _is_pattern(name):
        stored, read = (re.compile(text, re.IGNORECASE) for text in (name[1:-1], as_read(name)[1:-1]))
        fits = (bool(stored.fullmatch(other.strip()) or read.fullmatch(as_read(other))) for other in present)
        return [place for place, fitting in enumerate(fits) if fitting]
    for form in (str, as_read, lambda text: as_read(as_read(text).casefold())):
        places = [place for place, other in enumerate(present) if form(other) == form(name)]
        if places:
            return places
    return []
