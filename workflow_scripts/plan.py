"""Resolve each `auto` of the config from the fingerprints of the training cases."""

from pathlib import Path

from ctseg.files import read_json, write_json
from ctseg.plan import plan
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    channels = step["channels"]
    fingerprints = {Path(path).stem: read_json(path) for path in snakemake.input}
    decisions = plan(fingerprints, step, size_multiple=2 ** (len(channels) - 1), features=channels[0])
    for name, decision in decisions.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_json(snakemake.output.plan, decisions)
