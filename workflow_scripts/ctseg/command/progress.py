"""Progress messages of a command, on stderr."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any


class Progress:
    """Progress messages: a line for each step, and on a terminal a progress bar for a long step."""

    def __init__(self, quiet: bool = False) -> None:
        """With `quiet`, only the lines given to `tell` are shown."""
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        """Return this object; nothing is shown yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove an unfinished progress bar."""
        self._end_bar()

    def step(self, text: str) -> None:
        """Show that a step begins."""
        self._end_bar()
        if not self._quiet:
            print(f"ctseg: {text} …", file=sys.stderr, flush=True)

    def rows(self, done: int, rows: int) -> None:
        """Show that `done` of `rows` rows of the step are complete."""
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=rows, unit="row", disable=None, leave=False)
        self._bar.total = rows
        self._bar.update(done - self._bar.n)

    def tell(self, lines: Iterable[object]) -> None:
        """Show lines on the scan or the findings, also with `quiet`."""
        self._end_bar()
        for line in lines:
            print(f"ctseg: {line}", file=sys.stderr, flush=True)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
