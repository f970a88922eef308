"""Actions of a job with an unusable case: report the error, refuse the case, or pass on an earlier refusal."""

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from ctseg.jobs.refusals import Refusal, read_refusal, write_refusal
from ctseg.provenance.job_records import paths_of, without_sources, write_records


def tell(logger: logging.Logger, name: str, message: str, inputs: Any) -> str:
    """Report an error in the log and on the terminal; return the message as logged.

    The terminal shows the paths of scans, since the user of the workflow knows and needs them; the log does not.
    """
    kept = without_sources(message, inputs, file_names=True)
    logger.error("%s", kept)
    print(f"\nctseg: {name}: {message}\n", file=sys.stderr, flush=True)
    return kept


def tell_defect(logger: logging.Logger, name: str, inputs: Any) -> None:
    """Log the traceback of the exception that is handled, without paths: an OSError names its file."""
    what = without_sources(traceback.format_exc(), inputs, file_names=True)
    logger.error("%s failed; this is a defect of ctseg, not of your data\n%s", name, what)


def stop(logger: logging.Logger, name: str, message: str, inputs: Any) -> NoReturn:
    """Report an error in the log and on the terminal, and end the job with exit code 1."""
    tell(logger, name, message, inputs)
    sys.exit(1)


def goes_on(job: Any) -> bool:
    """Whether the study continues without a case that the job refuses."""
    return bool(getattr(job, "resources", {}).get("go_on"))


def refuse(job: Any, reason: str, started: str) -> None:
    """End the job of a refused case without an error: a record replaces each output."""
    _end(job, Refusal(job.wildcards.case, job.rule, reason), started)


def passed_on(job: Any, spared: Sequence[str], started: str) -> bool:
    """Whether an input not in `spared` is a refusal of the case; if so, write it as each output."""
    if "case" not in dict(job.wildcards.items()):
        return False
    paths = [path for name, value in job.input.items() if name not in spared for path in paths_of(value)]
    refused = next((found for found in map(read_refusal, paths) if found), None)
    if refused:
        logging.getLogger("ctseg").info("the case was refused by %s", refused.rule)
        _end(job, refused, started)
    return refused is not None


def _end(job: Any, refusal: Refusal, started: str) -> None:
    """Write the refusal as each output of a job, and the provenance records."""
    write_refusal(refusal, job.output)
    write_records(job, started)
