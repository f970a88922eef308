"""What every script of the workflow does around its work: logging, and errors that people can read."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from ctseg.errors import InputError, refusal
from ctseg.records import now, paths_of, without_sources, write_records
from ctseg.refusals import Refusal, read_refusal, write_refusal


def _stop(logger: logging.Logger, name: str, message: str, inputs: Any) -> NoReturn:
    """Say what is wrong in the log and on the terminal, and end the job.

    The terminal shows the paths of scans, since whoever starts the workflow knows and needs them; the log does not.
    """
    _tell(logger, name, message, inputs)
    sys.exit(1)


def _tell(logger: logging.Logger, name: str, message: str, inputs: Any) -> str:
    """Say what is wrong in the log and on the terminal; the message as the log has it."""
    kept = without_sources(message, inputs, file_names=True)
    logger.error("%s", kept)
    print(f"\nctseg: {name}: {message}\n", file=sys.stderr, flush=True)
    return kept


def _refused_before(snakemake: Any, spared: Sequence[str]) -> Refusal | None:
    """The record among what a job of one case takes, but for the inputs `spared`; None where there is none."""
    if "case" not in dict(snakemake.wildcards.items()):
        return None
    paths = [path for name, value in snakemake.input.items() if name not in spared for path in paths_of(value)]
    return next((found for found in map(read_refusal, paths) if found), None)


@contextmanager
def job(snakemake: Any, spared: Sequence[str] = ()) -> Iterator[logging.Logger]:
    """Log to the rule's log file, record what was read and written, and tell bad input or a full disk in one line.

    A case that was refused by an earlier job is passed on: its record is all that is written, unless only inputs that
    are named in `spared` hold it. Where the resource `go_on` is 1, bad input is such a refusal and no failure.
    Any other exception is a defect of ctseg: it is logged with its traceback and raised.
    """
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    name = f"{snakemake.rule} {wildcards}".strip()
    logger = logging.getLogger("ctseg")
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    started = now()
    try:
        if refused := _refused_before(snakemake, spared):
            write_refusal(refused, snakemake.output)
            write_records(snakemake, started)
            logger.info("the case was refused by %s", refused.rule)
            sys.exit(0)
        yield logger
        write_records(snakemake, started)
    except InputError as error:
        if not getattr(snakemake, "resources", {}).get("go_on"):
            _stop(logger, name, str(error), snakemake.input)
        reason = _tell(logger, name, str(error), snakemake.input)
        write_refusal(Refusal(snakemake.wildcards.case, snakemake.rule, reason), snakemake.output)
        write_records(snakemake, started)
    except Exception as error:
        if isinstance(error, OSError) and (message := refusal(error)):
            _stop(logger, name, message, snakemake.input)
        logger.exception("%s failed; this is a defect of ctseg, not of your data", name)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
