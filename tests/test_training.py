import hashlib
from dataclasses import replace

import pytest
import torch

from ctseg.augment import AugmentSettings
from ctseg.errors import InputError
from ctseg.network import NetworkSettings
from ctseg.optimisation import learning_rate_at
from ctseg.training import Trainer
from ctseg.training_cases import run_identity, training_hash
from ctseg.training_settings import TrainSettings
from training_data import make_case

SETTINGS = TrainSettings(
    steps=12,
    validate_every=4,
    patience=5,
    learning_rate=0.01,
    warmup_steps=2,
    weight_decay=1e-5,
    ema_decay=0.9,
    optimiser="adamw",
    schedule="cosine",
    accumulate=1,
    loss="dice_bce",
    dice_weight=0.5,
    foreground_probability=0.7,
    mixed_precision=True,
    batch_size=2,
    patch_zyx=(8, 8, 8),
    spacing_xyz_mm=(1, 1, 1),
    window_hu=(-1000, 400),
    threshold=0.5,
    n_classes=1,
    seed=1,
    network=NetworkSettings((4, 8), 1, "instance", 0.1),
    augment=AugmentSettings(("x",), 15, 0.1, 10, 10),
)


def trainer(settings=SETTINGS, identity="a"):
    return Trainer([make_case(0), make_case(1)], [make_case(2)], settings, identity)


def digest(weights):
    """Hash of all weights, in order."""
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in weights.values())).hexdigest()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run = trainer()
    run.run(tmp_path_factory.mktemp("train") / "checkpoint.pt", progress=False)
    return run


def test_the_same_seed_gives_the_same_weights(uninterrupted, tmp_path):
    again = trainer()
    again.run(tmp_path / "checkpoint.pt", progress=False)
    assert digest(again.best_weights) == digest(uninterrupted.best_weights)
    assert again.history == uninterrupted.history


def test_another_seed_gives_other_weights(uninterrupted, tmp_path):
    other = trainer(replace(SETTINGS, seed=2))
    other.run(tmp_path / "checkpoint.pt", progress=False)
    assert digest(other.best_weights) != digest(uninterrupted.best_weights)


def run_with_a_kill_at_step_7(settings, checkpoint):
    """A run that dies between two validations, and is then resumed to its end."""
    killed = trainer(settings)
    train_step = killed._train_step

    def die_at_step_7():
        if killed.step == 7:
            raise KeyboardInterrupt
        train_step()

    killed._train_step = die_at_step_7
    with pytest.raises(KeyboardInterrupt):
        killed.run(checkpoint, progress=False)
    resumed = trainer(settings)
    resumed.run(checkpoint, progress=False)
    return resumed


def test_a_resumed_run_ends_with_the_bytes_of_an_uninterrupted_one(uninterrupted, tmp_path):
    resumed = run_with_a_kill_at_step_7(SETTINGS, tmp_path / "checkpoint.pt")
    assert resumed.history == uninterrupted.history
    assert digest(resumed.best_weights) == digest(uninterrupted.best_weights)


def test_a_checkpoint_of_other_settings_is_not_resumed_from(uninterrupted, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    trainer(replace(SETTINGS, seed=2), identity="b").run(checkpoint, progress=False)
    run = trainer()
    run.run(checkpoint, progress=False)
    assert digest(run.best_weights) == digest(uninterrupted.best_weights)


def test_identity_follows_data_settings_and_code():
    cases = [make_case(0), make_case(1)]
    identity = run_identity(training_hash(cases), SETTINGS, "code")
    assert identity == run_identity(training_hash([make_case(0), make_case(1)]), SETTINGS, "code")
    assert identity != run_identity(training_hash(cases[:1]), SETTINGS, "code")
    assert identity != run_identity(training_hash(cases), replace(SETTINGS, steps=13), "code")
    assert identity != run_identity(training_hash(cases), SETTINGS, "other")


def test_training_stops_early_without_progress(tmp_path):
    run = trainer(replace(SETTINGS, steps=100, validate_every=1, patience=2, learning_rate=1e-9, warmup_steps=1))
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.step < 20


def test_a_ball_is_learnt(tmp_path):
    run = trainer(replace(SETTINGS, steps=120, validate_every=20, network=NetworkSettings((8, 16), 1, "batch", 0)))
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.best_dice > 0.9


def test_several_classes_are_learnt_as_channels_of_their_own(tmp_path):
    cases = [make_case(seed, second_class=True) for seed in range(2)]
    run = Trainer(cases, cases, replace(SETTINGS, n_classes=2), "a")
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.network(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 2, 8, 8, 8)


def test_validation_without_any_target_is_an_error_for_people(tmp_path):
    run = Trainer([make_case(0)], [make_case(1, radius=0)], SETTINGS, "a")
    with pytest.raises(InputError, match="no validation case"):
        run.run(tmp_path / "checkpoint.pt", progress=False)


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate_at(step, SETTINGS) for step in range(SETTINGS.steps)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.01)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate_at(SETTINGS.steps, SETTINGS) == pytest.approx(0.0001)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd", "schedule": "poly"},
        {"accumulate": 2},
        {"loss": "dice_focal"},
        {"loss": "tversky_bce", "ema_decay": 0.0},
        {"network": NetworkSettings((4, 8, 8), 0, "instance", 0.0, "dynunet", deep_supervision=True)},
        {"network": NetworkSettings((8, 16), 1, "group", 0.0, "segresnet")},
    ],
)
def test_each_choice_changes_the_weights_and_resumes_exactly(changes, tmp_path):
    settings = replace(SETTINGS, **changes)
    whole = trainer(settings)
    whole.run(tmp_path / "whole.pt", progress=False)
    untrained = trainer(settings).network.state_dict()
    assert digest(whole.best_weights) != digest(untrained)
    assert len(whole.history) == 3
    resumed = run_with_a_kill_at_step_7(settings, tmp_path / "cut.pt")
    assert resumed.history == whole.history
    assert digest(resumed.best_weights) == digest(whole.best_weights)


def test_accumulated_batches_equal_one_large_batch():
    network = replace(SETTINGS.network, dropout=0.0)
    settings = replace(SETTINGS, network=network, dice_weight=0.0, optimiser="sgd")  # its step is the gradient
    small, large = trainer(replace(settings, accumulate=2, batch_size=1)), trainer(settings)
    images, targets = large._batch(0)
    parts = [(images[:1], targets[:1]), (images[1:], targets[1:])]
    small._batch = lambda index: parts[index]
    small._train_step()
    large._train_step()
    assert small.losses == pytest.approx(large.losses, rel=1e-5)
    for one, other in zip(small.network.parameters(), large.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "changes, advice",
    [
        ({"batch_size": 4}, r"plan.batch_size to 2, and train.accumulate to 2"),
        ({"batch_size": 1, "patch_zyx": (16, 48, 32)}, r"plan.patch_size to \[32, 32, 16\]"),
    ],
)
def test_too_little_memory_is_told_with_what_to_change(changes, advice, tmp_path):
    run = trainer(replace(SETTINGS, **changes))

    def exhausted(index):
        raise torch.OutOfMemoryError

    run._backward = exhausted
    with pytest.raises(InputError, match=f"too little memory .* set {advice}"):
        run.run(tmp_path / "checkpoint.pt", progress=False)
