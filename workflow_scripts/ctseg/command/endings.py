"""End of a command: exit codes, tables for the terminal, and the message for too little memory."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

DONE, REFUSED, USAGE, SOME_REFUSED, STOPPED, UNREAD = 0, 1, 2, 3, 130, 141

TOLD = f"""exit codes:
  {DONE}    done
  {REFUSED}    refused: an input or the machine is not as it must be; the last line says what to do
  {USAGE}    the command line cannot be understood
  {SOME_REFUSED}    some of several scans were refused, the others are done
  {STOPPED}  stopped with Ctrl+C
  {UNREAD}  stopped since nobody reads the output any more, as behind `| head`"""

NO_MEMORY = "the machine has too little free memory for this scan; lower --memory-gib, or give a smaller part"


@contextmanager
def printing() -> Iterator[None]:
    """End the program without a message, with code `UNREAD`, if its output is closed while it prints.

    Characters that the terminal's encoding lacks are printed as escapes, as on stderr, such as the bytes of a file name
    that is not UTF-8.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Without this, Python tries to write the rest of the buffer again when it ends, and fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNREAD)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
