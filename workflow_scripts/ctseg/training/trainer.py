"""The training loop: from prepared cases to the weights with the best validation Dice.

All random values depend only on the seed and the step (see `batches`), and a checkpoint holds all state that the
remaining steps depend on. So a resumed run does the same steps as an uninterrupted one.
"""

import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ctseg.errors import TrainingError
from ctseg.network.architectures import SegmentationModel, build_parts
from ctseg.training.batches import Share, batch_maker, batches
from ctseg.training.checkpoint import resume, save
from ctseg.training.gpu_batches import Batch
from ctseg.training.gradients import Gradients, as_cuda_graph
from ctseg.training.history import ADVICE, OVERFIT_ADVICE, History
from ctseg.training.losses import SegmentationLoss
from ctseg.training.optimiser import MovingAverage, build_optimiser, learning_rate_at
from ctseg.training.patch_sampling import TrainingCase
from ctseg.training.precision import PRECISIONS, resolved_precision
from ctseg.training.settings import TrainSettings, memory_advice, sizes_text
from ctseg.training.tensorboard import Board
from ctseg.training.validation import Windowed, on_gpu, on_processor, validation_dice

logger = logging.getLogger(__name__)

GRADIENT_NORM = 12.0  # nnU-Net's limit; only the first steps and outliers reach it
MOST_SEEN = 4  # training cases in a validation


class Trainer:
    """Training run of one fold, or the share of one process in it.

    `identity` is a hash of data, settings and code; a checkpoint with another identity is ignored. `watch` is called
    with the history after each validation.
    """

    def __init__(
        self,
        training: Sequence[TrainingCase],
        validation: Sequence[TrainingCase],
        settings: TrainSettings,
        identity: str,
        device: torch.device | None = None,
        share: Share = Share(),  # noqa: B008 (frozen)
        start: Callable[[nn.Module], None] | None = None,
        watch: Callable[[History], None] = lambda history: None,
    ) -> None:
        """Build network, optimiser and batches from the seed; `start` may replace the random initial weights."""
        torch.manual_seed(settings.seed)
        self.settings, self.identity, self.share = settings, identity, share
        self.training, self.validation, self.watch = training, validation, watch
        self.device = device or torch.device("cpu")
        parts = build_parts(settings.network, settings.n_classes)
        if start:
            start(parts.network)
        self.frozen = parts.encoder if settings.freeze_encoder else []
        for module in self.frozen:
            module.requires_grad_(False)
        # oneDNN's and cuDNN's 3-D convolutions are faster on channels-last memory.
        self.network = parts.network.to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        forward = self._parallel()
        # The moving average of the weights is validated and kept, since it is more stable than the weights.
        self.average = MovingAverage(self.network, settings.ema_decay)
        self.model = SegmentationModel([self.average.module], settings.scaling, settings.network.exclusive)
        self.optimiser = build_optimiser((p for p in self.network.parameters() if p.requires_grad), settings)
        precision = resolved_precision(settings, self.device)
        self.autocast = PRECISIONS.get(precision)
        # With a lower precision, TF32 is exact enough for operations that stay in float32, including validation.
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        self.scaler = torch.GradScaler(self.device.type, enabled=self.autocast == torch.float16)
        # Dropout needs new random numbers in each step, and several processes exchange gradients.
        recordable = self.device.type == "cuda" and share.processes == 1 and not settings.network.dropout
        self.gradients = Gradients(
            forward,
            SegmentationLoss(settings.loss),
            list(self.network.parameters()),
            self.scaler,
            self.autocast,
            as_cuda_graph if recordable else None,
        )
        self.step = 0
        self.losses: list[torch.Tensor] = []  # losses of the steps since the last validation, on the device
        self.history = History()
        self.best_weights: dict[str, torch.Tensor] = {}
        self.use(settings)

    def use(self, settings: TrainSettings) -> None:
        """Continue with these settings, which may have other sizes of batch and patch."""
        self.settings = settings
        self.gradients.forget()
        self.batch: Callable[[int], Batch] | None = None  # frees the old copy of cases on the device first
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.batch = batches(batch_maker(self.training, settings, self.device, self.share), self.device)

    def _parallel(self) -> nn.Module:
        """Network for the forward pass of training: alone, or wrapped to average gradients over processes."""
        if self.share.processes == 1:
            return self.network
        if self.device.type == "cuda":
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
        return nn.parallel.DistributedDataParallel(self.network)

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or validation Dice has not risen for `patience` validations."""
        return self.step >= self.settings.steps or self.history.out_of_patience(self.settings.patience)

    def run(self, checkpoint: Path, progress: bool = sys.stderr.isatty()) -> None:
        """Train until finished, with a checkpoint at each validation; resume from `checkpoint` if its identity fits."""
        resume(self, checkpoint)
        first = self.share.rank == 0
        board = Board(checkpoint.parent / "tensorboard") if first else None
        start, done = time.perf_counter(), self.step
        with tqdm(
            total=self.settings.steps, initial=self.step, desc="training", disable=not (progress and first)
        ) as bar:
            while not self.finished:
                fits = True
                try:
                    self._train_step()
                except torch.OutOfMemoryError:
                    fits = False  # the exception holds the tensors of the step until it is handled
                if not fits:
                    self._shrink()
                    continue
                bar.update()
                if self.step % self.settings.validate_every == 0 or self.step == self.settings.steps:
                    self._validate((time.perf_counter() - start) / (self.step - done))
                    self.watch(self.history)
                    if board:
                        board.add(self.history.rows[-1])
                        save(self, checkpoint)
                    last = self.history.rows[-1]
                    bar.set_postfix(loss=f"{last.loss:.3f}", dice=f"{last.validation_dice:.3f}")
        self._tell_speed(self.step - done, time.perf_counter() - start)
        if self.history.found_nothing:
            logger.warning("after all %d steps nothing is found in any validation case; %s", self.step, ADVICE)
        elif overfit := self.history.overfit:
            logger.warning(OVERFIT_ADVICE, overfit.training_dice, overfit.validation_dice)

    def _tell_speed(self, steps: int, seconds: float) -> None:
        """Log the steps, duration, device and speed of this run."""
        patches = steps * self.settings.batch_size * self.settings.accumulate
        on_gpu = self.device.type == "cuda"
        where = torch.cuda.get_device_name(self.device) if on_gpu else f"{torch.get_num_threads()} cores"
        text = "%d steps in %.1f min on %s: %.2f patches a second, with the validations"
        logger.info(text, steps, seconds / 60, where, patches / seconds)

    def _shrink(self) -> None:
        """Continue with a smaller batch or patch after memory ran out, or raise TrainingError; see `train.on_oom`."""
        smaller = self.settings.smaller()
        # All processes must use the same sizes, but perhaps only this one ran out of memory.
        if self.settings.on_oom != "shrink" or smaller is None or self.share.processes > 1:
            raise TrainingError(memory_advice(self.settings, self.share.processes))
        now, then = sizes_text(self.settings), sizes_text(smaller)
        logger.warning("the GPU has too little memory for %s; continuing with %s", now, then)
        self.use(smaller)

    def _train_step(self) -> None:
        """Do one optimiser step on the batches of the current step."""
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.step, settings)
        self.network.train()
        for module in self.frozen:
            module.eval()  # also keeps the statistics of batch norm
        if settings.network.dropout:
            # Dropout is the only layer that draws random numbers; seeding it by the step keeps a resumed run exact.
            torch.manual_seed((settings.seed * 1_000_003 + self.step) * self.share.processes + self.share.rank)
        assert self.batch
        first = self.step * settings.accumulate
        loss = self.gradients([self.batch(first + part) for part in range(settings.accumulate)])
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.average.update(self.network, first=self.step == 0)
        self.losses.append(loss)
        self.step += 1

    def _mean_loss(self) -> float:
        """Mean loss of the steps since the last validation; losses are copied from the device only here.

        Raises TrainingError if a loss is not finite.
        """
        losses = torch.stack(self.losses).double().cpu().numpy()
        diverged = np.flatnonzero(~np.isfinite(losses))
        if diverged.size:
            raise TrainingError(
                f"training diverged at step {self.step - len(losses) + int(diverged[0]) + 1} (the loss is not finite); "
                "lower train.learning_rate, lengthen train.warmup_steps, or set train.precision to float32"
            )
        return float(losses.mean())

    def _validate(self, seconds_per_step: float) -> None:
        """Add a row to the history and keep the best weights; TrainingError if `patience` validations found nothing."""
        self.average.eval()
        self.gradients.forget()  # leaves its memory to the validation
        loss = self._mean_loss()
        rate = learning_rate_at(self.step - 1, self.settings)
        row = self.history.add(self.step, loss, rate, self._validation_dice(), self._training_dice())
        self.losses = []
        if row.best:
            self.best_weights = {
                name: value.detach().cpu().clone() for name, value in self.average.module.state_dict().items()
            }
        minutes = (self.settings.steps - self.step) * seconds_per_step / 60
        logger.info(
            "step %d of %d: loss %.4f, validation Dice %.4f%s, training Dice %.4f; at most %.0f min left",
            row.step,
            self.settings.steps,
            row.loss,
            row.validation_dice,
            " (best so far)" if row.best else "",
            row.training_dice,
            minutes,
        )
        if self.history.learns_nothing(self.settings.patience):
            raise TrainingError(
                f"after {self.step} steps nothing is found in any validation case, so training was stopped; {ADVICE}"
            )

    def _validation_dice(self) -> float:
        """Mean Dice of the validation cases with the averaged weights."""
        return self._dice_of(self.validation)

    def _training_dice(self) -> float:
        """Mean Dice of up to `MOST_SEEN` training cases with a target, which shows overfitting; NaN if none has one."""
        with_target = [case for case in self.training if any(part.indices.size for part in case.foreground)]
        seen = with_target[: min(MOST_SEEN, len(self.validation))]
        return self._dice_of(seen) if seen else math.nan

    def _dice_of(self, cases: Sequence[TrainingCase]) -> float:
        settings = self.settings
        window = Windowed(settings.patch_zyx, settings.n_classes, settings.scaling.low_hu)
        on_device = self.device.type == "cuda"
        segment = on_gpu(self.model, window, self.device) if on_device else on_processor(self.model, window)
        return validation_dice(cases, segment, settings.n_classes, self.share)
