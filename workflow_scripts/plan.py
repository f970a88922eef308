"""Resolve each `auto` of the config from the fingerprints of the training cases."""

from pathlib import Path

from ctseg.decisions import GIVEN, Decision
from ctseg.files import read_json, write_json
from ctseg.hardware import gpu_memory_mib, training_memory
from ctseg.jobs.refusals import LEFT_OUT, admitted, refused_cases
from ctseg.preprocessing.plan import plan
from ctseg.preprocessing.plan_network import Device
from job import job

with job(snakemake) as log:
    params = snakemake.params.settings
    usable = admitted(snakemake.input, "to train on")
    fingerprints = {Path(path).stem: read_json(path) for path in usable}
    # `--resources gpu=0` caps the rule's request at 0: the training then runs on the CPU.
    gpus = min(snakemake.resources.get("gpu", 0), len(gpu_memory_mib()))
    given = params["memory_gib"]
    memory_gib = Decision(*training_memory(gpus > 0)) if given == "auto" else Decision(given, GIVEN)
    device = Device(memory_gib, gpus)
    log.info("planning for %s, %.1f GiB (%s)", device.name, memory_gib.value, memory_gib.reason)
    decisions = plan(fingerprints, params, device)
    if refused := sorted(refused_cases(snakemake.input)):
        decisions[LEFT_OUT] = {"value": refused, "reason": "their scan or label was refused, see refused.tsv"}
    for name, decision in decisions.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_json(snakemake.output.plan, decisions)
