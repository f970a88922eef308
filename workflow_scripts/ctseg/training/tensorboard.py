"""Learning curves for TensorBoard."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctseg.training.history import HistoryRow


class Board:
    """Writer of TensorBoard files in `folder`; it does nothing if tensorboard is not installed."""

    def __init__(self, folder: Path) -> None:
        """Open the files; several runs in one folder continue the same curves."""
        self._writer: Any = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder))

    def add(self, row: HistoryRow) -> None:
        """Write one validation."""
        if self._writer:
            for name in ("loss", "learning_rate", "validation_dice", "smoothed_dice", "training_dice"):
                self._writer.add_scalar(name, getattr(row, name), row.step)
            self._writer.flush()
