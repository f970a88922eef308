import math
import weakref
from dataclasses import replace

import pytest
import torch

from ctseg.errors import InputError
from ctseg.network.settings import NetworkSettings
from ctseg.training.trainer import Trainer
from training_data import LEVELS, SETTINGS, digest, killed_and_resumed, make_case, trainer

DEEPER = ((2, 2, 2),) * 2, ((3, 3, 3),) * 3


def test_the_same_seed_gives_the_same_weights(uninterrupted, tmp_path):
    again = trainer()
    again.run(tmp_path / "checkpoint.pt", progress=False)
    assert digest(again.best_weights) == digest(uninterrupted.best_weights)
    assert again.history.rows == uninterrupted.history.rows


def test_another_seed_gives_other_weights(uninterrupted, tmp_path):
    other = trainer(replace(SETTINGS, seed=2))
    other.run(tmp_path / "checkpoint.pt", progress=False)
    assert digest(other.best_weights) != digest(uninterrupted.best_weights)


def test_training_stops_early_without_progress(tmp_path):
    settings = replace(SETTINGS, steps=100, validate_every=1, patience=2, learning_rate=1e-9, warmup_steps=1)
    run = trainer(replace(settings, network=replace(SETTINGS.network, dropout=0.0)))
    run.history.learns_nothing = lambda patience: False
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.step < 20


def test_a_ball_is_learnt(tmp_path):
    run = trainer(
        replace(SETTINGS, steps=120, validate_every=20, network=NetworkSettings((8, 16), 1, "batch", 0, *LEVELS))
    )
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.history.best_dice > 0.9


def test_several_classes_are_learnt_as_channels_of_their_own(tmp_path):
    cases = [make_case(seed, second_class=True) for seed in range(2)]
    run = Trainer(cases, cases, replace(SETTINGS, n_classes=2), "a")
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.network(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 2, 8, 8, 8)


def test_validation_without_any_target_is_an_error_for_people(tmp_path):
    run = Trainer([make_case(0)], [make_case(1, radius=0)], SETTINGS, "a")
    with pytest.raises(InputError, match="no validation case"):
        run.run(tmp_path / "checkpoint.pt", progress=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd", "schedule": "poly"},
        {"accumulate": 2},
        {"loss": replace(SETTINGS.loss, name="dice_focal", batch_dice=False)},
        pytest.param({"loss": replace(SETTINGS.loss, name="tversky_bce"), "ema_decay": 0.0}, marks=pytest.mark.slow),
        pytest.param(
            {
                "loss": replace(SETTINGS.loss, exclusive=True),
                "network": NetworkSettings((4, 8), 1, "instance", 0.0, *LEVELS, exclusive=True),
            },
            marks=pytest.mark.slow,
        ),
        pytest.param(  # its step takes six times as long
            {"network": NetworkSettings((4, 8, 8), 0, "instance", 0.0, *DEEPER, "dynunet", deep_supervision=True)},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"network": NetworkSettings((8, 16), 1, "group", 0.0, *LEVELS, "segresnet")}, marks=pytest.mark.slow
        ),
        pytest.param({"precision": "bfloat16"}, marks=pytest.mark.slow),
        pytest.param(
            {
                "precision": "bfloat16",
                "patch_zyx": (16, 8, 8),
                "network": NetworkSettings((4, 8, 8), 0, "instance", 0.0, *DEEPER, "dynunet", deep_supervision=True),
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_choice_changes_the_weights_and_resumes_exactly(changes, tmp_path):
    settings = replace(SETTINGS, **changes)
    whole = trainer(settings)
    whole.run(tmp_path / "whole.pt", progress=False)
    untrained = trainer(settings).network.state_dict()
    assert digest(whole.best_weights) != digest(untrained)
    assert len(whole.history.rows) == 3
    resumed = killed_and_resumed(lambda: trainer(settings), tmp_path / "cut.pt")
    assert resumed.history.rows == whole.history.rows
    assert digest(resumed.best_weights) == digest(whole.best_weights)


def test_accumulated_batches_equal_one_large_batch():
    network = replace(SETTINGS.network, dropout=0.0)
    settings = replace(
        SETTINGS, network=network, loss=replace(SETTINGS.loss, dice_weight=0.0), optimiser="sgd"
    )  # a step of SGD is the gradient
    small, large = trainer(replace(settings, accumulate=2, batch_size=1)), trainer(settings)
    images, targets = large.batch(0)
    parts = [(images[:1], targets[:1]), (images[1:], targets[1:])]
    small.batch = lambda index: parts[index]
    small._train_step()
    large._train_step()
    torch.testing.assert_close(small.losses, large.losses, rtol=1e-5, atol=0)
    for one, other in zip(small.network.parameters(), large.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "changes, advice",
    [
        ({"batch_size": 4}, r"plan.batch_size to 2, and train.accumulate to 2"),
        ({"batch_size": 1, "patch_zyx": (16, 48, 32)}, r"plan.patch_size to \[32, 32, 16\]"),
        ({"batch_size": 1, "patch_zyx": (4, 4, 4)}, r"fewer network.channels, .*or another GPU"),
    ],
)
def test_too_little_memory_is_told_with_what_to_change(changes, advice, tmp_path):
    run = trainer(replace(SETTINGS, **changes))

    def exhausted(images, targets, count):
        raise torch.OutOfMemoryError

    run.gradients.backward = exhausted
    with pytest.raises(InputError, match=f"too little memory .* {advice}"):
        run.run(tmp_path / "checkpoint.pt", progress=False)


def short_of_memory(settings, voxels):
    """Trainer that raises OutOfMemoryError for batches of more than `voxels` voxels."""
    run = trainer(settings)
    backward = run.gradients.backward

    def limited(images, targets, count):
        if images.numel() > voxels:
            raise torch.OutOfMemoryError
        return backward(images, targets, count)

    run.gradients.backward = limited
    return run


def test_training_shrinks_to_the_memory_and_resumes_so(tmp_path, caplog):
    settings = replace(SETTINGS, on_oom="shrink", batch_size=4, patch_zyx=(8, 12, 8))
    run = short_of_memory(settings, 600)
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert (run.settings.batch_size, run.settings.accumulate) == (1, 4)
    assert run.settings.patch_zyx == (8, 8, 8)
    assert "for batches of 4 patches of [8, 12, 8] voxels; continuing with batches of 2 patches of" in caplog.text
    again = trainer(settings)
    again.run(tmp_path / "checkpoint.pt", progress=False)
    assert again.settings == run.settings
    assert again.history.rows == run.history.rows


def test_the_tensors_of_a_step_that_ran_out_of_memory_are_free_when_training_shrinks(tmp_path):
    run = trainer(replace(SETTINGS, on_oom="shrink", batch_size=4, steps=1))
    alive = []

    def exhausted(images, targets, count):
        held = torch.zeros(10)
        alive.append(weakref.ref(held))
        if images.shape[0] > 2:
            raise torch.OutOfMemoryError
        return held.sum()

    use, backward = run.use, run.gradients.backward

    def checked(settings):
        assert alive[0]() is None
        use(settings)
        run.gradients.backward = backward

    run.gradients.backward, run.use = exhausted, checked
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.settings.batch_size == 2


def test_a_run_that_finds_nothing_is_stopped_with_what_to_try(tmp_path):
    settings = replace(SETTINGS, steps=100, validate_every=1, patience=3, learning_rate=1e-9, warmup_steps=1)
    run = trainer(settings)
    run._validation_dice = lambda: 0.0
    with pytest.raises(InputError, match=r"after 3 steps nothing is found in any validation case"):
        run.run(tmp_path / "checkpoint.pt", progress=False)


def test_a_run_that_ends_without_having_found_anything_says_so(tmp_path, caplog):
    run = trainer(replace(SETTINGS, steps=2, validate_every=1, patience=3))
    run._validation_dice = lambda: 0.0
    run.run(tmp_path / "checkpoint.pt", progress=False)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "after all 2 steps nothing is found in any validation case; look whether" in warning


def test_a_network_that_knows_its_training_cases_by_heart_is_told(tmp_path, caplog):
    run = trainer(replace(SETTINGS, steps=2, validate_every=1))
    run._validation_dice, run._training_dice = lambda: 0.4, lambda: 0.9
    run.run(tmp_path / "checkpoint.pt", progress=False)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "a Dice of 0.90 in training cases and 0.40 in validation cases" in warning


def test_training_cases_are_measured_like_the_validation_cases(tmp_path):
    run = Trainer([make_case(2), make_case(0)], [make_case(2)], SETTINGS, "a")
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert [row.training_dice for row in run.history.rows] == [row.validation_dice for row in run.history.rows]


def test_training_cases_without_a_target_have_no_dice():
    run = Trainer([make_case(0, radius=0), make_case(1)], [make_case(2)], SETTINGS, "a")
    run.training = run.training[:1]
    assert math.isnan(run._training_dice())


def test_a_loss_that_is_no_number_is_told_with_what_to_try(tmp_path):
    run = trainer()
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match=r"training diverged at step 1 .* lower train.learning_rate"):
        run.run(tmp_path / "checkpoint.pt", progress=False)


def test_the_history_is_there_while_training_goes_on(tmp_path):
    lengths = []
    run = Trainer(
        [make_case(0)], [make_case(1)], SETTINGS, "a", watch=lambda history: lengths.append(len(history.rows))
    )
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert lengths == [1, 2, 3]


def test_a_frozen_encoder_keeps_its_weights_and_statistics(tmp_path):
    network = NetworkSettings((4, 8), 1, "batch", 0.0, *LEVELS)
    run = trainer(replace(SETTINGS, network=network, freeze_encoder=True))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.run(tmp_path / "checkpoint.pt", progress=False)
    kept = {name for name, value in run.network.state_dict().items() if torch.equal(value, before[name])}
    encoder = {id(value) for module in run.frozen for value in module.state_dict(keep_vars=True).values()}
    names = {name for name, value in run.network.state_dict(keep_vars=True).items() if id(value) in encoder}
    assert names
    assert names <= kept
    assert len(kept) < len(before)
