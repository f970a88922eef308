"""Killed runs continue without any difference; test_trainer tests this for each training option."""

from dataclasses import replace

from training_data import SETTINGS, digest, killed_and_resumed, trainer


def test_a_resumed_run_ends_with_the_bytes_of_an_uninterrupted_one(uninterrupted, tmp_path):
    resumed = killed_and_resumed(trainer, tmp_path / "checkpoint.pt")
    assert resumed.history.rows == uninterrupted.history.rows
    assert digest(resumed.best_weights) == digest(uninterrupted.best_weights)


def test_a_checkpoint_of_other_settings_is_not_resumed_from(uninterrupted, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    trainer(replace(SETTINGS, seed=2), identity="b").run(checkpoint, progress=False)
    run = trainer()
    run.run(checkpoint, progress=False)
    assert digest(run.best_weights) == digest(uninterrupted.best_weights)
