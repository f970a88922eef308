"""What a command is doing, on stderr."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any


class Progress:
    """Says each step in a line, and on a terminal shows how much of a long one is done."""

    def __init__(self, quiet: bool = False) -> None:
        """A quiet one says only what a user should know of a scan or a result."""
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        """Nothing is shown yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left half-drawn."""
        self._end_bar()

    def step(self, text: str) -> None:
        """A step begins."""
        self._end_bar()
        if not self._quiet:
            print(f"ctseg: {text} …", file=sys.stderr, flush=True)

    def rows(self, done: int, rows: int) -> None:
        """So many rows of the step are done."""
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=rows, unit="row", disable=None, leave=False)
        self._bar.total = rows
        self._bar.update(done - self._bar.n)

    def tell(self, lines: Iterable[object]) -> None:
        """What a user should know of the scan or of what was found."""
        self._end_bar()
        for line in lines:
            print(f"ctseg: {line}", file=sys.stderr, flush=True)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
