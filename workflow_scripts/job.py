"""What every script of the workflow does around its work: logging, and errors that people can read."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ctseg.errors import InputError, refusal
from ctseg.logs import handlers
from ctseg.records import now, without_sources, write_records


def _stop(logger: logging.Logger, name: str, message: str, inputs: Any) -> NoReturn:
    """Say what is wrong in the log and on the terminal, and end the job.

    The terminal shows the paths of scans, since whoever starts the workflow knows and needs them; the log does not.
    """
    logger.error("%s", without_sources(message, inputs))
    print(f"\nctseg: {name}: {message}\n", file=sys.stderr, flush=True)
    sys.exit(1)


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Log to the rule's log file, record what was read and written, and tell bad input or a full disk in one line.

    Warnings are shown on the terminal, too. Any other exception is a defect of ctseg: it is logged with its traceback
    and raised.
    """
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    name = f"{snakemake.rule} {wildcards}".strip()
    logger = logging.getLogger("ctseg")
    logger.setLevel(logging.INFO)
    for handler in (added := handlers(snakemake.log[0], name)):
        logger.addHandler(handler)
    started = now()
    try:
        yield logger
        write_records(snakemake, started)
    except InputError as error:
        _stop(logger, name, str(error), snakemake.input)
    except Exception as error:
        if isinstance(error, OSError) and (message := refusal(error)):
            _stop(logger, name, message, snakemake.input)
        if isinstance(error, MemoryError):
            _stop(logger, name, "the machine has too little free memory for this", snakemake.input)
        logger.exception("%s failed; this is a defect of ctseg, not of your data", name)
        raise
    finally:
        for handler in added:
            logger.removeHandler(handler)
            handler.close()
