"""Recorded steps, with a recording that computes the work again instead of a CUDA graph."""

from dataclasses import replace

import pytest
import torch

from ctseg.training.gradients import UNRECORDED_STEPS
from training_data import SETTINGS, digest, trainer

PLAIN = replace(SETTINGS, validate_every=6, network=replace(SETTINGS.network, dropout=0.0))


class Recorder:
    """Stand-in for `as_cuda_graph`: it keeps the gradients' places in memory, as a graph does."""

    def __init__(self, run):
        self.parameters = list(run.network.parameters())
        self.records = self.repeats = 0

    def __call__(self, work):
        self.records += 1
        work()
        places = [parameter.grad for parameter in self.parameters]

        def again():
            self.repeats += 1
            for parameter in self.parameters:
                parameter.grad = None
            work()
            for parameter, place in zip(self.parameters, places, strict=True):
                parameter.grad = place.copy_(parameter.grad)

        return again


def recorded(settings):
    run = trainer(settings)
    run.gradients.record = Recorder(run)
    return run


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"optimiser": "sgd", "ema_decay": 0.0}])
def test_recorded_steps_train_as_unrecorded_ones(changes, tmp_path):
    settings = replace(PLAIN, **changes)
    plain, run = trainer(settings), recorded(settings)
    plain.run(tmp_path / "plain.pt", progress=False)
    run.run(tmp_path / "recorded.pt", progress=False)
    assert run.history.rows == plain.history.rows
    assert digest(run.best_weights) == digest(plain.best_weights)
    assert run.gradients.record.records == 2  # a validation needs the memory of the recorded steps
    assert run.gradients.record.repeats == PLAIN.steps - 2 * UNRECORDED_STEPS


def test_the_loss_of_a_step_stays_when_the_next_one_is_computed():
    run = recorded(PLAIN)
    for _ in range(UNRECORDED_STEPS + 3):
        run._train_step()
    assert len({loss.item() for loss in run.losses}) == UNRECORDED_STEPS + 3


def test_work_that_cannot_be_recorded_is_done_without(caplog):
    def refuse(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    plain, run = trainer(PLAIN), trainer(PLAIN)
    run.gradients.record = refuse
    for _ in range(UNRECORDED_STEPS + 2):
        plain._train_step()
        run._train_step()
    torch.testing.assert_close(run.losses, plain.losses, rtol=0, atol=0)
    assert [record.message for record in caplog.records] == [
        "the steps cannot be recorded as a CUDA graph (operation not permitted when stream is capturing), "
        "so they take longer"
    ]


def test_too_little_memory_to_record_is_no_reason_to_go_on():
    def refuse(work):
        raise torch.OutOfMemoryError

    run = trainer(PLAIN)
    run.gradients.record = refuse
    for _ in range(UNRECORDED_STEPS):
        run._train_step()
    with pytest.raises(torch.OutOfMemoryError):
        run._train_step()


def test_after_forgetting_no_gradient_takes_memory():
    run = recorded(PLAIN)
    for _ in range(UNRECORDED_STEPS + 1):
        run._train_step()
    assert any(parameter.grad is not None for parameter in run.network.parameters())
    run.gradients.forget()
    assert all(parameter.grad is None for parameter in run.network.parameters())


@pytest.mark.parametrize("settings", [PLAIN, SETTINGS])
def test_a_processor_records_nothing(settings):
    assert trainer(settings).gradients.record is None
