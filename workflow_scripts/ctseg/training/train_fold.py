"""Training of the network of one fold, in one process or in several that share its batches."""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ctseg.errors import TrainingError
from ctseg.files import atomic_path, read_json
from ctseg.training.batches import Share
from ctseg.training.history import History
from ctseg.training.initial_weights import starter
from ctseg.training.precision import resolved_precision
from ctseg.training.prepared_cases import read_cases, run_identity, training_hash
from ctseg.training.settings import training_settings
from ctseg.training.trainer import Trainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldTask:
    """Training of one fold as plain values for another process: params of the rule, code hash, and paths.

    `cases` is the folder of the prepared cases, `init` a file of initial weights or an empty string.
    """

    params: dict[str, Any]
    code: str
    plan: str
    cases: str
    init: str
    weights: str
    history: str
    checkpoint: str
    threads: int
    use_gpu: bool


def train_fold(task: FoldTask, share: Share = Share()) -> None:  # noqa: B008 (frozen)
    """Train, or resume an interrupted run from its checkpoint; the first process writes weights and history."""
    # Makes cuBLAS, which batches on a GPU use, reproducible to the bit; read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(max(1, task.threads // share.processes))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # saves 2 % of a step
    device = torch.device("cuda", share.rank) if task.use_gpu and torch.cuda.is_available() else torch.device("cpu")
    settings = training_settings(task.params, read_json(task.plan))
    settings = replace(settings, precision=resolved_precision(settings, device))
    folder = Path(task.cases)
    training, validation = (read_cases(folder, task.params[name]) for name in ("training", "validation"))
    data = training_hash(training + validation)
    begin = Path(task.init).read_bytes() if task.init else b""
    identity = run_identity(data, settings, task.code, begin)
    if settings.batch_size % share.processes:
        raise TrainingError(
            f"{share.processes} GPUs cannot share batches of {settings.batch_size} patches evenly; make "
            "plan.batch_size a multiple of train.gpus"
        )
    first = share.rank == 0

    def watch(history: History) -> None:
        if first:
            history.write(task.history)

    trainer = Trainer(
        training, validation, settings, identity, device, share, starter(task.init) if task.init else None, watch
    )
    logger.info(
        "training on %d cases, validating on %d, on %s in %s",
        len(training),
        len(validation),
        device,
        settings.precision,
    )
    trainer.run(Path(task.checkpoint))
    if first:
        with atomic_path(task.weights) as partial:
            torch.save(
                {
                    "network": trainer.best_weights,
                    "training_hash": data,
                    "patch_zyx": list(trainer.settings.patch_zyx),  # smaller than planned if the memory ran out
                },
                partial,
            )
        trainer.history.write(task.history)
        Path(task.checkpoint).unlink(missing_ok=True)
        logger.info("kept the weights with validation Dice %.4f", trainer.history.best_dice)
