"""What every script of the workflow does around its work: logging, and errors that people can read."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ctseg.errors import InputError


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Log to the rule's log file, and turn an InputError into one line on the terminal and in the log.

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
        logger.error("%s", error)
        print(f"\nctseg: {name}: {error}\n", file=sys.stderr, flush=True)
        sys.exit(1)
    except Exception:
        logger.exception("%s failed; this is a defect of ctseg, not of your data", name)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
