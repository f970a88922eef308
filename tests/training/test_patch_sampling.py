import numpy as np
import pytest

from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.training.patch_sampling import PatchSampler, TrainingCase, cut_patch
from training_data import make_case


def draw(cases, count, probability=1.0, volume_exponent=1.0):
    """Images and labels [patch, z, y, x] of `count` patches of 8³ voxels."""
    sampler = PatchSampler(cases, probability, volume_exponent, -1000)
    patches = [sampler.patch(np.random.default_rng([3, number]), (8, 8, 8)) for number in range(count)]
    return tuple(map(np.stack, zip(*patches, strict=True)))


def test_a_patch_follows_from_its_generator_alone():
    cases = [make_case(0), make_case(1)]
    for first, again in zip(draw(cases, 3), draw(cases, 3), strict=True):
        np.testing.assert_array_equal(first, again)
    images, _ = draw(cases, 2)
    assert (images[0] != images[1]).any()


def test_images_and_labels_are_cut_at_the_same_place():
    case = make_case(0)
    images, labels = draw([case], 20, 0.5)
    assert images.shape == labels.shape == (20, 8, 8, 8)
    np.testing.assert_array_equal(images > 0, labels == 1)


def test_foreground_is_in_every_patch_that_was_promised_to_hold_it():
    _, labels = draw([make_case(0), make_case(1)], 50)
    assert labels.any(axis=(1, 2, 3)).all()


def test_share_of_foreground_patches_is_about_the_probability():
    case = make_case(0, size=60, radius=3)
    _, labels = draw([case], 400, 0.5)
    assert labels.any(axis=(1, 2, 3)).mean() == pytest.approx(0.5, abs=0.12)


def test_a_rare_class_is_drawn_as_often_as_a_common_one():
    case = make_case(0, size=60, radius=8, second_class=True)
    _, labels = draw([case], 200)
    assert (labels == 2).any(axis=(1, 2, 3)).mean() > 0.4


@pytest.mark.parametrize(("volume_exponent", "share"), [(0, 1 / 2), (0.5, 1 / 4), (1, 1 / 10)])
def test_a_small_component_is_drawn_by_its_volume_to_the_set_power(volume_exponent, share):
    label = np.zeros((40, 20, 20), np.uint8)
    label[2:4, 2:4, 2:4], label[30:36, 10:14, 10:13] = 1, 1  # 8 and 72 voxels
    case = TrainingCase("a", label.astype(np.int16), label, find_foreground(label, 1, 100, 0))
    _, labels = draw([case], 600, volume_exponent=volume_exponent)
    of_the_small_one = labels.sum(axis=(1, 2, 3)) <= 8
    assert of_the_small_one.mean() == pytest.approx(share, abs=0.06)


def test_a_volume_smaller_than_the_patch_is_padded_with_air():
    images, labels = draw([make_case(0, size=6, radius=2)], 4)
    assert ((images == -1000).sum(axis=(1, 2, 3)) == 8**3 - 6**3).all()
    assert labels.any()


def test_foreground_cannot_be_promised_where_there_is_none():
    with pytest.raises(ValueError, match="no training case"):
        draw([make_case(0, radius=0)], 1)


def test_a_patch_outside_of_the_volume_is_all_fill():
    patch = cut_patch(np.zeros((4, 4, 4), np.int16), np.array([10, 0, 0]), (3, 3, 3), 7)
    assert (patch == 7).all()


def test_the_source_of_a_patch_lies_around_it_even_if_it_is_larger_than_the_volume():
    """With strong rotation and zoom a source is twice as long as a patch, and longer than many a cropped scan."""
    case = make_case(0)
    sampler = PatchSampler([case], 0.5, 1.0, -1000)
    for number in range(50):
        image, label = sampler.patch(np.random.default_rng([3, number]), (8, 9, 7))
        wide_image, wide_label = sampler.patch(np.random.default_rng([3, number]), (8, 9, 7), (50, 60, 41))
        middle = slice(21, 29), slice(25, 34), slice(17, 24)
        assert wide_image.shape == (50, 60, 41)
        np.testing.assert_array_equal(wide_image[middle], image)
        np.testing.assert_array_equal(wide_label[middle], label)


def test_a_volume_smaller_than_the_patch_lies_anywhere_inside_it():
    sampler = PatchSampler([make_case(0, size=6, radius=2)], 0.5, 1.0, -1000)
    starts = np.array([sampler.place(np.random.default_rng(number), (8, 8, 8))[1] for number in range(100)])
    for along in starts.T:
        assert set(along.tolist()) == {-2, -1, 0}
