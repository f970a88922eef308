"""Reading files, and atomic writing: a file is either complete or missing."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Format = str | Callable[[Any], str]  # of a column's cells: a format specification, or a function that returns the text


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` if the block ends without an exception.

    The temporary name keeps the suffixes, since many writers choose the format by them. A killed process leaves at
    most a hidden `.partial-…` file, which the next write of the same output replaces.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{target.name}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as readable JSON, atomically. Raises ValueError for NaN and infinity, which JSON lacks."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_table(path: str | Path, formats: Mapping[str, Format], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as a TSV with a header, atomically: one column for each of `formats`, None as an empty cell."""
    lines = ["\t".join(formats)]
    for row in rows:
        cells = (_cell(row[name], form) for name, form in formats.items())
        lines.append("\t".join(cells))
    write_text(path, "\n".join(lines) + "\n")


def _cell(value: Any, form: Format) -> str:
    """The text of a cell; empty for None."""
    if value is None:
        return ""
    return format(value, form) if isinstance(form, str) else form(value)
