"""Context manager of every workflow script: logging, job records, and readable error messages."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ctseg
from ctseg.errors import NOT_OF_A_CASE, InputError, refusal
from ctseg.jobs.logs import handlers
from ctseg.jobs.refused_jobs import goes_on, passed_on, refuse, stop, tell, tell_defect
from ctseg.provenance.job_records import now, write_records


def _require_own_library(scripts: str) -> None:
    """Exit if the library is from another checkout: the hash in the job's params is that of the own library."""
    loaded, own = (Path(folder).resolve() for folder in (ctseg.__path__[0], Path(scripts) / "ctseg"))
    if loaded != own:
        cure = "use a Python environment without another ctseg, or put the folder above its own first in PYTHONPATH"
        sys.exit(f"ctseg: the job loaded the library in {loaded}, but its workflow has its own in {own}; {cure}")


@contextmanager
def job(snakemake: Any, spared: Sequence[str] = ()) -> Iterator[logging.Logger]:
    """Log to the rule's log file, record inputs and outputs, and report bad input, full disks and memory in one line.

    Warnings are also shown on the terminal. If the study continues without refused cases, bad input of a case is a
    refusal and no failure; later jobs of the case pass the refusal on, unless only inputs named in `spared` have it.
    Any other exception is a defect of ctseg: it is logged with its traceback and raised.
    """
    _require_own_library(snakemake.scriptdir)
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    name = f"{snakemake.rule} {wildcards}".strip()
    logger = logging.getLogger("ctseg")
    logger.setLevel(logging.INFO)
    for handler in (added := handlers(snakemake.log[0], name)):
        logger.addHandler(handler)
    started = now()
    try:
        if passed_on(snakemake, spared, started):
            sys.exit(0)
        yield logger
        write_records(snakemake, started)
    except InputError as error:
        if isinstance(error, NOT_OF_A_CASE) or not goes_on(snakemake):
            stop(logger, name, str(error), snakemake.input)
        refuse(snakemake, tell(logger, name, str(error), snakemake.input), started)
    except Exception as error:
        if isinstance(error, OSError) and (message := refusal(error)):
            stop(logger, name, message, snakemake.input)
        if isinstance(error, MemoryError):
            stop(logger, name, "the machine has too little free memory for this", snakemake.input)
        tell_defect(logger, name, snakemake.input)
        raise
    finally:
        for handler in added:
            logger.removeHandler(handler)
            handler.close()
