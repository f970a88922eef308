"""Training settings from config and plan, and advice if the memory is too small."""

import re
from dataclasses import replace

import pytest

from ctseg.training.settings import memory_advice, training_settings
from training_data import SETTINGS


@pytest.fixture
def settings(task, plan):
    """Training settings of a fold from its config and plan."""
    return training_settings(task.params, plan)


def test_sizes_come_from_the_plan_in_the_order_of_arrays(task, plan):
    plan = plan | {"patch_size": {"value": [8, 16, 24]}, "strides": {"value": [[1, 2, 4]]}}
    found = training_settings(task.params, plan)
    assert found.patch_zyx == (24, 16, 8)
    assert found.network.strides_zyx == ((4, 2, 1),)
    assert found.spacing_xyz_mm == (1, 1, 1)


def test_what_the_config_says_is_kept(settings):
    assert (settings.steps, settings.optimiser, settings.batch_size) == (10, "sgd", 4)
    assert settings.augment.flip_axes == ("x",)
    assert settings.augment.noise_hu == 10
    assert (settings.n_classes, settings.loss.name, settings.loss.class_weights) == (1, "dice_bce", (1.0,))


def test_a_class_weighs_one_where_nothing_is_said(task, plan):
    params = task.params | {"labels": ["a", "b"]}
    params["train"] = params["train"] | {"class_weights": {"b": 3.0}}
    found = training_settings(params, plan)
    assert (found.n_classes, found.loss.class_weights) == (2, (1.0, 3.0))


def test_folds_repeats_and_seeds_have_seeds_of_their_own(task, plan):
    seeds = {
        training_settings(task.params | {"fold": fold, "repeat": repeat, "seed": seed}, plan).seed
        for fold in range(5)
        for repeat in range(3)
        for seed in range(3)
    }
    assert len(seeds) == 45


def test_half_the_batch_with_twice_the_batches_a_step():
    smaller = replace(SETTINGS, batch_size=5, accumulate=3).smaller()
    assert (smaller.batch_size, smaller.accumulate, smaller.patch_zyx) == (2, 6, SETTINGS.patch_zyx)


def test_a_single_patch_shrinks_along_its_longest_side_to_two_multiples():
    settings, seen = replace(SETTINGS, batch_size=1, patch_zyx=(8, 16, 10)), []
    while settings := settings.smaller():
        seen.append(settings.patch_zyx)
        assert all(size % 2 == 0 and size >= 4 for size in settings.patch_zyx)
    assert seen[0] == (8, 10, 10)
    assert seen[-1] == (4, 4, 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 4, "accumulate": 1}, "plan.batch_size to 2, and train.accumulate to 2"),
        ({"batch_size": 1, "patch_zyx": (8, 8, 24)}, r"patches of \[24, 8, 8\] .*plan.patch_size to \[16, 8, 8\]"),
        ({"batch_size": 1, "patch_zyx": (4, 4, 4)}, "use fewer network.channels, .*or another GPU"),
    ],
)
def test_the_advice_for_too_little_memory_is_the_next_smaller_setting(changes, words):
    told = memory_advice(replace(SETTINGS, **changes))
    assert re.search(words, told)
    assert ("or train.on_oom to shrink" in told) == ("; set " in told)


def test_the_advice_for_several_gpus_is_a_batch_that_they_can_share():
    assert "plan.batch_size to 4" in memory_advice(replace(SETTINGS, batch_size=8), processes=4)
    told = memory_advice(replace(SETTINGS, batch_size=4), processes=4)
    assert "fewer network.channels" in told
    assert "batch_size" not in told
    assert "shrink" not in told
