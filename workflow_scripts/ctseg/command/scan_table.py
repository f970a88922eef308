"""The table of the scans in a folder of results: a row for each scan, kept from one run to the next."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctseg.digits import four_decimals
from ctseg.errors import InputError
from ctseg.files import write_table

if TYPE_CHECKING:  # numpy, which a look at an earlier table does not need
    from ctseg.command.one_scan import Found

Row = dict[str, str]
FIRST, LAST = ("name", "result", "lesions"), ("flags", "reason", "mask", "scan")
NEEDED = {"name", "result", "mask", "scan"}  # columns without which a table is of another origin
ENDS_OR_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, half pairs, ends of lines


@dataclass(frozen=True)
class Result:
    """Result of a scan with its label map: the findings, or the reason of its refusal."""

    name: str
    scan: Path
    mask: Path
    found: "Found | None" = None
    reason: str = ""


def row_of(result: Result) -> Row:
    """The table row of a scan: lesions, volume of each label in cm³ and flags, or the reason of its refusal."""
    row = {"name": printable(result.name), "scan": printable(str(result.scan))}
    if not result.found:
        return row | {"result": "refused", "reason": printable(one_line(result.reason))}
    volumes = {f"{label}_cm3": four_decimals(volume) for label, volume in result.found.volumes_cm3.items()}
    told = {"lesions": str(result.found.in_all), "flags": "; ".join(result.found.flags)}
    return row | volumes | told | {"result": "done", "mask": printable(str(result.mask))}


def write_rows(rows: Sequence[Row], labels: Sequence[str], path: Path) -> None:
    """Write rows with a column for the volume of each label; further columns of the rows are kept behind these."""
    own = [f"{label}_cm3" for label in labels]
    others = dict.fromkeys(name for row in rows for name in row if name not in (*FIRST, *own, *LAST))
    columns = (*FIRST, *own, *others, *LAST)
    write_table(path, dict.fromkeys(columns, ""), [dict.fromkeys(columns) | row for row in rows])


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier run, of scans that are still there or have a label map; none if there is no table.

    Paths in the table are relative to the working folder of that run, so a label map is looked for beside the table.
    Raises InputError for a table of another origin.
    """
    if not path.exists():
        return []
    try:
        header, *lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines()] or [[]]
    except UnicodeDecodeError:
        header, lines = [], []
    if not set(header) >= NEEDED:
        raise InputError(f"{path} is no table of `ctseg predict`; rename it, or give another output")
    files = {printable(file.name) for file in path.parent.iterdir()}
    rows = [dict(zip(header, cells, strict=False)) for cells in lines if len(cells) == len(header)]
    return [row for row in rows if (Path(row["mask"]).name in files if row["mask"] else Path(row["scan"]).exists())]


def merged(earlier: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The earlier rows without those of scans, or names of results, that are in `new`; then the new rows."""
    scans, names = {_place(row) for row in new}, {row["name"] for row in new}
    return [row for row in earlier if _place(row) not in scans and row["name"] not in names] + list(new)


def _place(row: Row) -> str:
    """The path of a row's scan, without links and relative parts."""
    return printable(str(Path(row["scan"]).resolve()))


def printable(text: str) -> str:
    """A text for a cell in UTF-8: characters that end a line or a cell, or that UTF-8 lacks, as escapes.

    The bytes of a file name that is not UTF-8 are such characters in Python.
    """
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in ENDS_OR_UNWRITABLE else letter
        for letter in text
    )


def one_line(text: str) -> str:
    """A text with a single space for each run of white space, so that it fits into one cell."""
    return " ".join(text.split())
