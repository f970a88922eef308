"""Log handlers of a job."""

import logging
import sys


def handlers(path: str, name: str) -> list[logging.Handler]:
    """Handlers for a job's log file (all messages) and for the terminal (warnings only, with the job's name)."""
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.addFilter(lambda record: record.levelno == logging.WARNING)
    terminal.setFormatter(logging.Formatter(f"ctseg: {name.replace('%', '%%')}: %(message)s"))
    return [file, terminal]
