import numpy as np
import pytest

from ctseg.sampling import PatchSampler, cut_patch
from training_data import make_case


def sampler(cases, probability=1.0, patch=(8, 8, 8), seed=3):
    return PatchSampler(cases, patch, probability, -1000, seed)


def test_a_batch_follows_from_seed_and_step_alone():
    cases = [make_case(0), make_case(1)]
    first, again = sampler(cases), sampler(cases)
    for step in (5, 0):
        for a, b in zip(first.batch(step, 3), again.batch(step, 3), strict=True):
            np.testing.assert_array_equal(a, b)
    assert (first.batch(0, 3)[0] != first.batch(1, 3)[0]).any()
    assert (first.batch(0, 3)[0] != sampler(cases, seed=4).batch(0, 3)[0]).any()


def test_images_and_labels_are_cut_at_the_same_place():
    case = make_case(0)
    images, labels = sampler([case], 0.5).batch(0, 20)
    assert images.shape == labels.shape == (20, 1, 8, 8, 8)
    np.testing.assert_array_equal(images > 0, labels == 1)


def test_foreground_is_in_every_patch_that_was_promised_to_hold_it():
    _, labels = sampler([make_case(0), make_case(1)]).batch(0, 50)
    assert labels.any(axis=(1, 2, 3, 4)).all()


def test_share_of_foreground_patches_is_about_the_probability():
    case = make_case(0, size=60, radius=3)
    _, labels = sampler([case], 0.5).batch(0, 400)
    assert labels.any(axis=(1, 2, 3, 4)).mean() == pytest.approx(0.5, abs=0.12)


def test_a_rare_class_is_drawn_as_often_as_a_common_one():
    case = make_case(0, size=60, radius=8, second_class=True)
    _, labels = sampler([case]).batch(0, 200)
    assert (labels == 2).any(axis=(1, 2, 3, 4)).mean() > 0.4


def test_a_volume_smaller_than_the_patch_is_padded_with_air():
    images, labels = sampler([make_case(0, size=6, radius=2)]).batch(0, 4)
    assert ((images == -1000).sum(axis=(1, 2, 3, 4)) == 8**3 - 6**3).all()
    assert labels.any()


def test_foreground_cannot_be_promised_where_there_is_none():
    with pytest.raises(ValueError, match="no training case"):
        sampler([make_case(0, radius=0)])


def test_a_patch_outside_of_the_volume_is_all_fill():
    patch = cut_patch(np.zeros((4, 4, 4), np.int16), np.array([10, 0, 0]), (3, 3, 3), 7)
    assert (patch == 7).all()
