"""Refusal of scans and labels: a small record replaces each result, and the study continues without the case.

A job that refuses its case writes the record as each of its outputs, and so does each later job of the case; rules that
combine cases leave it out. So no job of another case runs when a case is refused, or when it is repaired.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctseg.decisions import Stored, decided
from ctseg.errors import InputError
from ctseg.files import atomic_path
from ctseg.plurals import counted

HEAD = '{"refused by ctseg": '  # beginning of a record, but of no image, table or JSON of a result

LEFT_OUT = "left_out"  # the plan's decision with the cases that no network is trained on


@dataclass(frozen=True)
class Refusal:
    """A refused case, the rule that refused it, and the reason in a sentence without paths and UIDs."""

    case: str
    rule: str
    reason: str


def write_refusal(refusal: Refusal, paths: Iterable[str | Path]) -> None:
    """Write the record as each of the files; compress files with a name that ends in .gz."""
    text = f"{HEAD}{json.dumps(asdict(refusal), ensure_ascii=False)}}}\n".encode()
    for path in paths:
        with atomic_path(path) as partial:
            partial.write_bytes(gzip.compress(text, mtime=0) if partial.suffix == ".gz" else text)


def read_refusal(path: str | Path) -> Refusal | None:
    """The record in a file; None if the file has other content, or is missing."""
    if not Path(path).is_file():
        return None
    try:
        with gzip.open(path) if str(path).endswith(".gz") else Path(path).open("rb") as file:
            head = file.read(len(HEAD)).decode("utf-8", "replace")
            return Refusal(**json.loads(head + file.read().decode())["refused by ctseg"]) if head == HEAD else None
    except (EOFError, gzip.BadGzipFile, zlib.error):  # the reader of the file's content reports the error
        return None


def refusals(paths: Iterable[str | Path]) -> list[Refusal]:
    """The distinct records among the files, in the order of the files."""
    return list(dict.fromkeys(found for found in map(read_refusal, paths) if found))


def refused_cases(paths: Iterable[str | Path]) -> set[str]:
    """The cases of the records among the files."""
    return {refusal.case for refusal in refusals(paths)}


def reminder(table: str | Path) -> str:
    """A line on the cases that an earlier run refused, from their table; empty if there are none."""
    lines = Path(table).read_text(encoding="utf-8").splitlines()[1:] if Path(table).is_file() else []
    refused = len({line.partition("\t")[0] for line in lines})
    return f"{counted(refused, 'case')} refused when this study last ran; {table} says why" if refused else ""


def usable(path: str | None) -> str | None:
    """The path, or None if the file is a record."""
    return None if path is None or read_refusal(path) else path


def admitted(paths: Iterable[str], what: str) -> list[str]:
    """The files without a record. Raises InputError, with `what` in its message, if all files are records."""
    paths = list(paths)
    return left([path for path in paths if read_refusal(path) is None], paths, what)


def trainable(cases: Sequence[str], plan: Stored, what: str) -> list[str]:
    """The cases that the plan does not leave out. Raises InputError, with `what` in its message, if none is left."""
    refused = decided(plan, LEFT_OUT) if LEFT_OUT in plan else []
    return left([case for case in cases if case not in refused], cases, what)


def left(some: list[Any], every: Sequence[Any], what: str) -> list[Any]:
    """`some`, the rest of `every`. Raises InputError, with `what` in its message, if only `some` is empty."""
    if every and not some:
        raise InputError(
            f"no case is left {what}: all {len(every)} were refused; the lines above and the logs of convert_image, "
            "convert_label and segment_lungs say why"
        )
    return some
