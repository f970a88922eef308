"""Learning curves for TensorBoard, if it is installed."""

import pytest

from ctseg.training.tensorboard import Board
from training_data import after


def test_tensorboard_shows_each_validation_where_it_is_installed(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = Board(tmp_path)
    for row in after(0.2, 0.6).rows:
        board.add(row)
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, round(event.value, 4)) for event in events.Scalars("smoothed_dice")] == [(1, 0.2), (2, 0.4)]


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("ctseg.training.tensorboard.find_spec", lambda name: None)
    Board(tmp_path).add(after(0.2).rows[0])
    assert not list(tmp_path.iterdir())
