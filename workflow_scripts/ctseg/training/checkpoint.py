"""Checkpoints: the state of a training run on disk, with all values that its remaining steps depend on."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ctseg.files import atomic_path
from ctseg.training.history import History

if TYPE_CHECKING:
    from ctseg.training.trainer import Trainer

logger = logging.getLogger(__name__)

SHRINKABLE = ("batch_size", "accumulate", "patch_zyx")  # settings that a run changes if memory runs out


def save(run: "Trainer", checkpoint: Path) -> None:
    """Write the state of a run, atomically."""
    state: dict[str, Any] = {
        "identity": run.identity,
        "step": run.step,
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "scaler": run.scaler.state_dict(),
        "sizes": {name: getattr(run.settings, name) for name in SHRINKABLE},
        "history": run.history.plain(),
        "best_weights": run.best_weights,
    }
    with atomic_path(checkpoint) as partial:
        torch.save(state, partial)


def resume(run: "Trainer", checkpoint: Path) -> None:
    """Load a checkpoint into `run` if it exists and has the same identity: data, settings, code, initial weights."""
    if not checkpoint.exists():
        return
    state = torch.load(checkpoint, map_location=run.device, weights_only=True)
    if state["identity"] != run.identity:
        logger.info("the checkpoint belongs to other data, settings or code; starting anew")
        return
    if (settings := replace(run.settings, **state["sizes"])) != run.settings:
        run.use(settings)
    run.step = state["step"]
    run.network.load_state_dict(state["network"])
    run.average.load_state_dict(state["average"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.scaler.load_state_dict(state["scaler"])
    run.history = History(state["history"])
    run.best_weights = {name: value.cpu() for name, value in state["best_weights"].items()}
    logger.info("resumed at step %d, best validation Dice %.4f", run.step, run.history.best_dice)
