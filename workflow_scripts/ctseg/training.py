"""The training loop: from prepared cases to the weights with the best validation Dice.

Everything random is drawn from the seed and the step (see `sampling`), and a checkpoint holds all state that the rest
depends on, so a killed run that is resumed goes through the same steps as one that was left alone.
"""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ctseg.augment import augment
from ctseg.errors import InputError
from ctseg.files import atomic_path, write_text
from ctseg.losses import SegmentationLoss
from ctseg.network import SegmentationModel, build_network, normalise
from ctseg.optimisation import build_optimiser, learning_rate_at
from ctseg.sampling import PatchSampler, TrainingCase
from ctseg.training_settings import TrainSettings
from ctseg.validation import validation_dice

logger = logging.getLogger(__name__)

GRADIENT_NORM = 12.0  # nnU-Net's limit; it is reached in the first steps and after outliers only


@dataclass(frozen=True)
class HistoryRow:
    """One validation: step, mean training loss since the last one, learning rate, mean Dice, whether it is the best."""

    step: int
    loss: float
    learning_rate: float
    validation_dice: float
    best: bool


def smaller_batch(settings: TrainSettings) -> str:
    """What to change when the GPU has too little memory: half the batch, or of a single patch the longest side."""
    patch_xyz = list(reversed(settings.patch_zyx))
    problem = f"the GPU has too little memory for batches of {settings.batch_size} patches of {patch_xyz} voxels"
    if settings.batch_size > 1:
        accumulate = settings.accumulate * 2
        advice = (
            f"plan.batch_size to {settings.batch_size // 2}, and train.accumulate to {accumulate} for the same effect"
        )
    else:
        longest, multiple = patch_xyz.index(max(patch_xyz)), settings.network.size_multiple
        patch_xyz[longest] = max(2 * multiple, patch_xyz[longest] * 2 // 3 // multiple * multiple)
        advice = f"plan.patch_size to {patch_xyz}, or use fewer network.channels"
    return f"{problem}; set {advice}"


class Trainer:
    """One training run of one fold.

    `identity` names data, settings and code: a checkpoint of another identity is not resumed.
    """

    def __init__(
        self,
        training: Sequence[TrainingCase],
        validation: Sequence[TrainingCase],
        settings: TrainSettings,
        identity: str,
        use_gpu: bool = True,
    ) -> None:
        """Build network, optimiser and sampler from the seed, on the GPU if there is one and `use_gpu` allows it."""
        torch.manual_seed(settings.seed)
        self.settings, self.identity = settings, identity
        self.validation = validation
        self.device = torch.device("cuda" if use_gpu and torch.cuda.is_available() else "cpu")
        network = build_network(settings.network, settings.n_classes)
        # oneDNN's and cuDNN's 3-D convolutions are faster on channels-last memory.
        self.network = network.to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        # What is validated and kept is the moving average of the weights: it is steadier than they are.
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay), use_buffers=True
        )
        self.model = SegmentationModel([self.average.module], settings.window_hu)
        self.loss = SegmentationLoss(settings.loss, settings.dice_weight)
        self.optimiser = build_optimiser(self.network.parameters(), settings)
        self.sampler = PatchSampler(
            training,
            settings.augment.source_patch(settings.patch_zyx),
            settings.foreground_probability,
            settings.window_hu[0],
            settings.seed,
        )
        self.autocast = settings.mixed_precision and self.device.type == "cuda"
        self.step = 0
        self.losses: list[float] = []
        self.history: list[HistoryRow] = []
        self.best_weights: dict[str, torch.Tensor] = {}

    @property
    def best_dice(self) -> float:
        """The best validation Dice so far; −1 before the first validation."""
        return max((row.validation_dice for row in self.history), default=-1.0)

    @property
    def finished(self) -> bool:
        """Whether all steps are done or the validations ran out of patience."""
        since_best = 0
        for row in reversed(self.history):
            if row.best:
                break
            since_best += 1
        return self.step >= self.settings.steps or since_best >= self.settings.patience

    def run(self, checkpoint: Path, progress: bool = sys.stderr.isatty()) -> None:
        """Train until finished, saving a checkpoint at each validation; resume from `checkpoint` if it fits."""
        self._resume(checkpoint)
        with tqdm(total=self.settings.steps, initial=self.step, desc="training", disable=not progress) as bar:
            while not self.finished:
                try:
                    self._train_step()
                except torch.OutOfMemoryError:
                    raise InputError(smaller_batch(self.settings)) from None
                bar.update()
                if self.step % self.settings.validate_every == 0 or self.step == self.settings.steps:
                    self._validate()
                    self._save(checkpoint)
                    last = self.history[-1]
                    bar.set_postfix(loss=f"{last.loss:.3f}", dice=f"{last.validation_dice:.3f}")

    def _train_step(self) -> None:
        """One optimiser step on the batches of the current step."""
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.step, settings)
        self.network.train()
        # Dropout is the only layer that draws numbers; seeding it by the step keeps a resumed run exact.
        torch.manual_seed(settings.seed * 1_000_003 + self.step)
        self.optimiser.zero_grad(set_to_none=True)
        losses = [self._backward(self.step * settings.accumulate + part) for part in range(settings.accumulate)]
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.losses.append(float(np.mean(losses)))
        self.step += 1
        if not math.isfinite(self.losses[-1]):
            raise InputError(
                f"training diverged at step {self.step} (the loss is no number); lower train.learning_rate"
            )

    def _backward(self, index: int) -> float:
        """Add the gradient of the batch with this number, and give its loss."""
        images, targets = self._batch(index)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            logits = self.network(images)
        loss = self.loss(logits.float(), targets)
        (loss / self.settings.accumulate).backward()
        return loss.item()

    def _batch(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The augmented batch with this number: normalised images and 0/1 masks, on the device."""
        settings = self.settings
        hu, labels = self.sampler.batch(index, settings.batch_size)
        images = torch.from_numpy(hu).to(self.device).float()
        classes = torch.arange(1, settings.n_classes + 1, device=self.device).view(1, -1, 1, 1, 1)
        targets = (torch.from_numpy(labels).to(self.device) == classes).float()
        rng = np.random.default_rng([settings.seed, index, 1])
        images, targets = augment(images, targets, settings.patch_zyx, settings.spacing_xyz_mm, settings.augment, rng)
        images = normalise(images, *settings.window_hu).contiguous(memory_format=torch.channels_last_3d)
        return images, targets

    def _validate(self) -> None:
        """Add a row to the history, and keep the weights if they are the best so far."""
        self.average.eval()
        dice = self._validation_dice()
        best = dice > self.best_dice
        if best:
            self.best_weights = {
                name: value.detach().cpu().clone() for name, value in self.average.module.state_dict().items()
            }
        row = HistoryRow(
            self.step, float(np.mean(self.losses)), learning_rate_at(self.step - 1, self.settings), dice, best
        )
        self.losses = []
        self.history.append(row)
        logger.info(
            "step %d of %d: loss %.4f, validation Dice %.4f%s",
            row.step,
            self.settings.steps,
            row.loss,
            row.validation_dice,
            " (best so far)" if best else "",
        )

    def _validation_dice(self) -> float:
        """Mean Dice of the validation cases with the averaged weights."""

        def network(patches: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return self.model(torch.from_numpy(patches).to(self.device)).float().cpu().numpy()

        settings = self.settings
        return validation_dice(
            self.validation,
            network,
            settings.n_classes,
            settings.patch_zyx,
            settings.threshold,
            settings.window_hu[0],
        )

    def _save(self, checkpoint: Path) -> None:
        """Write everything that the remaining steps depend on."""
        state: dict[str, Any] = {
            "identity": self.identity,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": [asdict(row) for row in self.history],
            "best_weights": self.best_weights,
        }
        with atomic_path(checkpoint) as partial:
            torch.save(state, partial)

    def _resume(self, checkpoint: Path) -> None:
        """Take over the state of a checkpoint that was written by the same data, settings and code."""
        if not checkpoint.exists():
            return
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["identity"] != self.identity:
            logger.info("the checkpoint belongs to other data, settings or code; starting anew")
            return
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history = [HistoryRow(**row) for row in state["history"]]
        self.best_weights = {name: value.cpu() for name, value in state["best_weights"].items()}
        logger.info("resumed at step %d, best validation Dice %.4f", self.step, self.best_dice)


def write_history(history: Sequence[HistoryRow], path: str | Path) -> None:
    """Write the validations as a table, one row each."""
    names = [field.name for field in fields(HistoryRow)]
    rows = [
        f"{row.step}\t{row.loss:.6f}\t{row.learning_rate:.6g}\t{row.validation_dice:.6f}\t{str(row.best).lower()}"
        for row in history
    ]
    write_text(path, "\n".join(["\t".join(names), *rows]) + "\n")
