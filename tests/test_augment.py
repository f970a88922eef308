import numpy as np
import torch

from ctseg.augment import AugmentSettings, augment

NOTHING = AugmentSettings((), 0, 0, 0, 0)
PATCH = (12, 16, 16)


def batch(settings):
    depth, height, width = settings.source_patch(PATCH)
    z, y, x = torch.meshgrid(torch.arange(depth), torch.arange(height), torch.arange(width), indexing="ij")
    middle = ((z - (depth - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2).sqrt()
    targets = (middle < 5).float()[None, None].repeat(2, 1, 1, 1, 1)
    return targets * 600 - 500, targets


def run(settings, seed=0, spacing=(1.0, 1.0, 1.0)):
    images, targets = batch(settings)
    return augment(images, targets, PATCH, spacing, settings, np.random.default_rng(seed))


def test_nothing_changes_when_all_is_switched_off():
    images, targets = run(NOTHING)
    source_images, source_targets = batch(NOTHING)
    torch.testing.assert_close(images, source_images)
    torch.testing.assert_close(targets, source_targets)


def test_a_ball_stays_a_ball_of_the_drawn_size():
    settings = AugmentSettings(("x", "y", "z"), 30, 0.1, 0, 0)
    expected = 4 / 3 * np.pi * 5**3
    for seed in range(20):
        images, targets = run(settings, seed)
        assert images.shape == targets.shape == (2, 1, *PATCH)
        assert set(targets.unique().tolist()) <= {0.0, 1.0}
        volumes = targets.sum(dim=(1, 2, 3, 4)).numpy()
        assert ((volumes > 0.65 * expected) & (volumes < 1.45 * expected)).all()
        assert (targets.bool() == (images > -200)).float().mean() > 0.97


def test_image_and_target_move_together_on_voxels_that_are_no_cubes():
    settings = AugmentSettings(("x",), 45, 0.2, 0, 0)
    for seed in range(10):
        images, targets = run(settings, seed, spacing=(1.0, 2.0, 3.0))
        assert (targets.bool() == (images > -200)).float().mean() > 0.97


def test_flips_happen_only_along_the_axes_that_allow_them():
    images = torch.arange(2 * 4 * 4 * 4, dtype=torch.float32).reshape(2, 1, 4, 4, 4)
    settings = AugmentSettings(("x",), 0, 0, 0, 0)
    seen = set()
    for seed in range(20):
        changed, _ = augment(images, images, (4, 4, 4), (1, 1, 1), settings, np.random.default_rng(seed))
        assert torch.equal(changed, images) or torch.equal(changed, images.flip(4))
        seen.add(torch.equal(changed, images))
    assert seen == {True, False}


def test_intensity_changes_stay_within_their_limits():
    images, _ = run(AugmentSettings((), 0, 0, 0, 20))
    assert (images - batch(NOTHING)[0]).abs().max() <= 20
    noisy, _ = run(AugmentSettings((), 0, 0, 10, 0))
    assert 0 < (noisy - batch(NOTHING)[0]).std() < 12


def test_the_same_generator_gives_the_same_changes():
    settings = AugmentSettings(("x", "y"), 15, 0.1, 15, 20)
    torch.testing.assert_close(run(settings, 7)[0], run(settings, 7)[0], rtol=0, atol=0)
