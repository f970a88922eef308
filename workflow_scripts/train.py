"""Train one network (a fold and repeat), and resume from its checkpoint if a run was interrupted."""

from pathlib import Path

import torch

from ctseg.files import read_json
from ctseg.jobs.refusals import trainable
from ctseg.training.distributed import train_in_processes
from ctseg.training.train_fold import FoldTask, train_fold
from job import job

with job(snakemake) as log:
    # `--resources gpu=0` caps the rule's request at 0, so the job runs on the CPU.
    gpus = min(snakemake.resources.get("gpu", 0), torch.cuda.device_count())
    plan = read_json(snakemake.input.plan)
    cases = {
        name: trainable(snakemake.params.settings[name], plan, f"for {name}") for name in ("training", "validation")
    }
    task = FoldTask(
        params=snakemake.params.settings | cases,
        code=snakemake.params.code,
        plan=snakemake.input.plan,
        cases=str(Path(snakemake.input.cases[0]).parents[1]),
        init=snakemake.input.get("init", ""),
        weights=snakemake.output.weights,
        history=snakemake.output.history,
        checkpoint=snakemake.params.checkpoint,
        threads=snakemake.threads,
        use_gpu=gpus > 0,
    )
    if gpus > 1:
        train_in_processes(task, gpus)
    else:
        train_fold(task)
