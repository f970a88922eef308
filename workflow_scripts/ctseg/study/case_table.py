"""Case tables: TSV files with one row per case."""

# Plain strings instead of Path, as in cases.py.
# ruff: noqa: PTH111, PTH118, PTH120

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ctseg.errors import ConfigError
from ctseg.study.schema import Schema, show

PATHS = ("image", "label", "lungs")  # the columns that hold paths


class Row(NamedTuple):
    """One case: its columns, without empty ones; `where` names its path or table line in messages."""

    where: str
    columns: dict[str, str]


def table_rows(table: str, root: str, schema: Schema, groups: Sequence[str], problems: list[str]) -> Iterator[Row]:
    """One row per line of the TSV file, with the known columns only; paths are relative to `root` or absolute."""
    table = os.path.expanduser(table)
    lines = _table_lines(table, root)
    _, header = next(lines, (0, []))
    known = [*schema["properties"], *groups]
    problems += [f"{table}: {fault}" for fault in _header_faults(header, known, [*schema["required"], *groups])]
    if not set(schema["required"]) <= set(header):
        return
    folder = os.path.dirname(table)
    for number, cells in lines:
        if any(cells[len(header) :]):
            problems.append(f"{table}, line {number}: has {len(cells)} cells, but the header has {len(header)}")
        columns = {name: cell for name, cell in zip(header, cells, strict=False) if cell and name in known}
        for name in set(PATHS) & set(columns):
            columns[name] = os.path.normpath(os.path.join(folder, os.path.expanduser(columns[name])))
        yield Row(f"{table}, line {number}", columns)


def _table_lines(table: str, root: str) -> Iterator[tuple[int, list[str]]]:
    """Number (from 1) and cells of each line that is neither empty nor a comment."""
    try:
        lines = Path(root, table).read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                yield number, [cell.strip() for cell in next(csv.reader([line], delimiter="\t"))]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ConfigError(f"cases.table: {table} does not exist or is not a table in UTF-8 text") from None


def _header_faults(header: list[str], known: list[str], required: list[str]) -> Iterator[str]:
    """Missing, repeated and misspelt columns; without this check a misspelt label column would be ignored silently."""
    from difflib import get_close_matches

    for name in required:
        if name not in header:
            yield f"the column {name} is missing in the first line; columns are separated by tabs"
    for name in sorted({name for name in header if name in known and header.count(name) > 1}):
        yield f"the column {name} stands there twice"
    for name in header:
        close = get_close_matches(name.lower(), known, n=1, cutoff=0.8)
        if name not in known and close and close[0] not in header:
            yield f"the column {show(name)} is not known; did you mean {close[0]}?"
