"""Resolve each `auto` of the config from the fingerprints of the training cases."""

from pathlib import Path

from ctseg.files import read_json, write_json
from ctseg.hardware import memory_at_hand_gib
from ctseg.plan import plan
from ctseg.refusals import LEFT_OUT, admitted, refused_cases
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    usable = admitted(snakemake.input, "to train on")
    fingerprints = {Path(path).stem: read_json(path) for path in usable}
    memory_gib = memory_at_hand_gib() if step["memory_gib"] == "auto" else step["memory_gib"]
    log.info("planning for %.1f GiB", memory_gib)
    decisions = plan(fingerprints, step | {"memory_gib": memory_gib})
    if refused := sorted(refused_cases(snakemake.input)):
        decisions[LEFT_OUT] = {"value": refused, "reason": "their scan or label was refused, see refused.tsv"}
    for name, decision in decisions.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_json(snakemake.output.plan, decisions)
