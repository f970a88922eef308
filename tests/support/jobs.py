"""Simulated `snakemake` object for scripts, with the attributes that the scripts of ctseg use."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.iocontainers import InputFiles, OutputFiles, Params, Wildcards

from places import SCRIPTS

LOG = Path("results/study/logs/job.log")


def handed_over(rule: str, settings: dict, inputs: dict[str, Any], outputs: dict[str, str]) -> SimpleNamespace:
    """`snakemake` object of a job of a rule for the case `a` of a study in the current folder.

    Paths are strings or lists of strings, by their names in the rule; paths of results begin with `results/study/`.
    """
    LOG.parent.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(
        rule=rule,
        wildcards=Wildcards(fromdict={"case": "a"}),
        params=Params(fromdict={"settings": settings, "code": "0123"}),
        threads=1,
        input=InputFiles(fromdict=inputs),
        output=OutputFiles(fromdict=outputs),
        log=[str(LOG)],
        scriptdir=str(SCRIPTS),
    )
