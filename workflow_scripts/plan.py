"""Resolve each `auto` of the config from the fingerprints of the training cases."""

from pathlib import Path

from ctseg.decisions import GIVEN, Decision
from ctseg.files import read_json, write_json
from ctseg.hardware import training_memory
from ctseg.plan import plan
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    fingerprints = {Path(path).stem: read_json(path) for path in snakemake.input}
    given = step["memory_gib"]
    memory_gib = Decision(*training_memory()) if given == "auto" else Decision(given, GIVEN)
    log.info("planning for %.1f GiB (%s)", memory_gib.value, memory_gib.reason)
    decisions = plan(fingerprints, step, memory_gib)
    for name, decision in decisions.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_json(snakemake.output.plan, decisions)
