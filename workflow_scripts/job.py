"""What every script of the workflow does around its work: logging, and errors that people can read."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ctseg.errors import InputError, refusal

UID = re.compile(r"\d+(?:\.\d+){5,}")


def without_sources(message: str, inputs: Any) -> str:
    """A message as the log may keep it: what a hospital calls a folder or a file can tell who the patient is.

    Paths of the user's own scans and labels become `<scan>` and `<label>`, UIDs become `<uid>`. The terminal shows the
    whole message, since whoever starts the workflow knows the paths and needs them.
    """
    for name, value in inputs.items():
        for path in [value] if isinstance(value, str) else value:
            if not path.startswith("results/"):
                message = message.replace(path, f"<{name}>")
    return UID.sub("<uid>", message)


def _stop(logger: logging.Logger, name: str, message: str, inputs: Any) -> NoReturn:
    """Say what is wrong in the log and on the terminal, and end the job."""
    logger.error("%s", without_sources(message, inputs))
    print(f"\nctseg: {name}: {message}\n", file=sys.stderr, flush=True)
    sys.exit(1)


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Log to the rule's log file, and turn bad input or a full disk into one line on the terminal and in the log.

    Any other exception is a defect of ctseg: it is logged with its traceback and raised.
    """
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    name = f"{snakemake.rule} {wildcards}".strip()
    logger = logging.getLogger("ctseg")
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    try:
        yield logger
    except InputError as error:
        _stop(logger, name, str(error), snakemake.input)
    except Exception as error:
        if isinstance(error, OSError) and (message := refusal(error)):
            _stop(logger, name, message, snakemake.input)
        logger.exception("%s failed; this is a defect of ctseg, not of your data", name)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
