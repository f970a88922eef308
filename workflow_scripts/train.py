"""Train the network of one fold, resuming from its checkpoint if a run was cut short."""

from pathlib import Path

import torch

from ctseg.files import atomic_path, read_json
from ctseg.training import Trainer, write_history
from ctseg.training_cases import read_cases, run_identity, training_hash
from ctseg.training_settings import training_settings
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    torch.set_num_threads(snakemake.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings = training_settings(step, read_json(snakemake.input.plan))
    folder = Path(snakemake.input.cases[0]).parents[1]
    training, validation = read_cases(folder, step["training"]), read_cases(folder, step["validation"])
    data = training_hash(training + validation)
    identity = run_identity(data, settings, snakemake.params.code)
    # `--resources gpu=0` caps the rule's request, and so means: on the CPU.
    trainer = Trainer(training, validation, settings, identity, use_gpu=snakemake.resources.get("gpu", 0) > 0)
    log.info("training on %d cases, validating on %d, on %s", len(training), len(validation), trainer.device)
    trainer.run(Path(snakemake.params.checkpoint))
    with atomic_path(snakemake.output.weights) as partial:
        torch.save({"network": trainer.best_weights, "training_hash": data}, partial)
    write_history(trainer.history, snakemake.output.history)
    Path(snakemake.params.checkpoint).unlink(missing_ok=True)
    log.info("kept the weights with validation Dice %.4f", trainer.best_dice)
