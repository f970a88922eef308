"""History of the validations of a training run, and the rules for stopping early."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ctseg.files import write_text

SMOOTHING = 0.5  # weight of the past in the moving average of validation Dice; with few cases one value is noisy
LEARNT_NOTHING = 0.001  # Dice below which nothing was found
OVERFIT = 0.2  # excess of training Dice over validation Dice
ADVICE = (
    "look whether labels and images belong together and plan.window_hu shows the target, then try more train.steps, "
    "a larger plan.patch_size, train.foreground_probability near 1, train.loss tversky_bce, or another "
    "train.learning_rate"
)
OVERFIT_ADVICE = (
    "the network finds a Dice of %.2f in training cases and %.2f in validation cases, so it knows its training cases "
    "by heart; more patients help most, then stronger changes in `augment`, split.folds for an ensemble, or fewer "
    "network.channels"
)


@dataclass(frozen=True)
class HistoryRow:
    """One validation.

    `loss` is the mean training loss since the previous validation, `smoothed_dice` the moving average of
    `validation_dice`, and `best` marks the highest `validation_dice` so far. `training_dice` is the mean Dice of some
    training cases, measured in the same way; NaN if no training case has a target.
    """

    step: int
    loss: float
    learning_rate: float
    validation_dice: float
    smoothed_dice: float
    best: bool
    training_dice: float


class History:
    """All validations so far."""

    def __init__(self, rows: Sequence[dict[str, Any]] = ()) -> None:
        """Start empty, or with rows as returned by `plain`."""
        self.rows = [HistoryRow(**row) for row in rows]

    def add(self, step: int, loss: float, learning_rate: float, dice: float, training_dice: float) -> HistoryRow:
        """Append a validation and return its row."""
        past = self.rows[-1].smoothed_dice if self.rows else dice
        smoothed = SMOOTHING * past + (1 - SMOOTHING) * dice
        best = dice > self.best_dice
        self.rows.append(HistoryRow(step, loss, learning_rate, dice, smoothed, best, training_dice))
        return self.rows[-1]

    @property
    def best_dice(self) -> float:
        """The best validation Dice; −1 before the first validation."""
        return max((row.validation_dice for row in self.rows), default=-1.0)

    def out_of_patience(self, patience: int) -> bool:
        """Whether the moving average of the Dice has not risen for `patience` validations."""
        values = [row.smoothed_dice for row in self.rows]
        return bool(values) and len(values) - 1 - values.index(max(values)) >= patience

    @property
    def found_nothing(self) -> bool:
        """Whether validations exist and all of them have a Dice below `LEARNT_NOTHING`."""
        return bool(self.rows) and self.best_dice < LEARNT_NOTHING

    @property
    def overfit(self) -> HistoryRow | None:
        """The best validation if its training Dice exceeds its validation Dice by more than `OVERFIT`, else None."""
        best = max(self.rows, key=lambda row: row.validation_dice, default=None)
        return best if best and best.training_dice - best.validation_dice > OVERFIT else None

    def learns_nothing(self, patience: int) -> bool:
        """Whether there are at least `patience` validations and `found_nothing` is true."""
        return len(self.rows) >= patience and self.found_nothing

    def plain(self) -> list[dict[str, Any]]:
        """The rows as dicts of numbers."""
        return [asdict(row) for row in self.rows]

    def write(self, path: str | Path) -> None:
        """Write a table (TSV) with one row per validation, atomically."""
        lines = ["\t".join(field.name for field in fields(HistoryRow))]
        lines += [
            f"{row.step}\t{row.loss:.6f}\t{row.learning_rate:.6g}\t{row.validation_dice:.6f}\t{row.smoothed_dice:.6f}\t"
            f"{str(row.best).lower()}\t{row.training_dice:.6f}"
            for row in self.rows
        ]
        write_text(path, "\n".join(lines) + "\n")
