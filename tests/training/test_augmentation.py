import numpy as np
import pytest
import torch

from ctseg.training.augmentation import augment
from ctseg.training.random_changes import AugmentSettings

NOTHING = AugmentSettings(())
PATCH = (12, 16, 16)
CUBES = (1.0, 1.0, 1.0)
WINDOW_HU = (-1000.0, 400.0)
RADIUS_MM = 5


def ball(size, spacing):
    """HU and label [z, y, x] of a ball of soft tissue in the centre of lung."""
    axes = [(torch.arange(n) - (n - 1) / 2) * mm for n, mm in zip(size, spacing[::-1], strict=True)]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    label = ((z**2 + y**2 + x**2).sqrt() < RADIUS_MM).to(torch.uint8)
    return label.to(torch.int16) * 600 - 500, label


def changed(hu, label, n_classes, settings, seed=0, patch=PATCH, spacing=CUBES):
    """Image [z, y, x] and masks [class, z, y, x] of an augmented patch."""
    image, masks = torch.empty(patch), torch.zeros(n_classes, *patch)
    augment(hu, label, spacing, WINDOW_HU, settings, np.random.default_rng(seed), image, masks)
    return image, masks


def run(settings, seed=0, spacing=CUBES, deformed=True):
    size = settings.source_patch(PATCH, spacing) if deformed else PATCH
    return changed(*ball(size, spacing), 1, settings, seed, spacing=spacing)


def test_nothing_changes_when_all_is_switched_off():
    assert not NOTHING.deforms
    assert NOTHING.source_patch(PATCH, CUBES) == PATCH
    image, masks = run(NOTHING)
    hu, label = ball(PATCH, CUBES)
    torch.testing.assert_close(image, hu.float())
    torch.testing.assert_close(masks[0], label.float())


@pytest.mark.parametrize(
    ("settings", "off"),
    [
        (AugmentSettings(("x", "y", "z"), rotate_degrees=30, scale=0.1), 0.45),
        (AugmentSettings((), rotate_degrees=20, tilt_degrees=20), 0.15),
        (AugmentSettings((), elastic_mm=2), 0.8),
    ],
    ids=["in plane", "tilted", "elastic"],
)
@pytest.mark.parametrize("spacing", [CUBES, (1.0, 1.0, 1.5)])
def test_image_and_target_move_together_and_a_ball_keeps_about_its_size(settings, off, spacing):
    expected = 4 / 3 * np.pi * RADIUS_MM**3 / np.prod(spacing)
    for seed in range(15):
        image, masks = run(settings, seed, spacing)
        assert set(masks.unique().tolist()) <= {0.0, 1.0}
        assert (masks[0].bool() == (image > -200)).float().mean() > 0.97
        assert 1 - off < masks.sum().item() / expected < 1 + off


@pytest.mark.parametrize("elastic_mm", [0, 1])
def test_each_class_has_a_mask_that_is_moved_like_any_other(elastic_mm):
    settings = AugmentSettings((), rotate_degrees=20, elastic_mm=elastic_mm)
    size = settings.source_patch(PATCH, CUBES)
    _, label = ball(size, CUBES)
    label[:, :, size[2] // 2 :] *= 2
    (_, both), (_, second) = (
        changed(label.to(torch.int16), part, n, settings, 3)
        for part, n in ((label, 2), ((label == 2).to(torch.uint8), 1))
    )
    torch.testing.assert_close(both[1:], second, rtol=0, atol=0)
    assert both.sum(dim=(1, 2, 3)).min() > 50
    _, none = changed(label.to(torch.int16), torch.zeros_like(label), 2, settings)
    assert not none.any()


@pytest.mark.parametrize("elastic_mm", [0, 1])
def test_a_patch_is_mirrored_and_deformed_at_once(elastic_mm):
    settings = AugmentSettings(("x", "z"), rotate_degrees=1e-4, elastic_mm=1e-4 * elastic_mm)
    size = settings.source_patch(PATCH, CUBES)
    hu = torch.from_numpy(np.random.default_rng(0).integers(-500, 500, size).astype(np.int16))
    label = (hu > 100).to(torch.uint8)
    middle = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(size, PATCH, strict=True))
    seen = set()
    for seed in range(20):
        image, _ = changed(hu, label, 1, settings, seed)
        off = {
            flips: (image - hu[middle].float().flip(flips)).abs().mean().item()
            for flips in ((), (0,), (2,), (0, 2), (1,), (1, 2))
        }
        seen.add(min(off, key=off.__getitem__))
    assert seen == {(), (0,), (2,), (0, 2)}


def test_flips_happen_only_along_the_axes_that_allow_them():
    image = torch.arange(4 * 4 * 4).reshape(4, 4, 4)
    label = (image % 2).to(torch.uint8)
    seen = set()
    for seed in range(20):
        moved, masks = changed(image, label, 1, AugmentSettings(("x",)), seed, (4, 4, 4))
        assert torch.equal(moved, image.float()) or torch.equal(moved, image.flip(2).float())
        assert torch.equal(masks[0], moved % 2)
        seen.add(torch.equal(moved, image.float()))
    assert seen == {True, False}


def changes(**settings):
    """Image of the ball, and its images augmented with 40 seeds, without deformation."""
    source, _ = ball(PATCH, CUBES)
    return source.float(), [run(AugmentSettings((), **settings), seed, deformed=False)[0] for seed in range(40)]


def test_brightness_and_noise_stay_within_their_limits():
    source, shifted = changes(shift_hu=20)
    assert all(0 < (images - source).abs().max() <= 20 for images in shifted)
    source, noisy = changes(noise_hu=10)
    assert all(0 < (images - source).std() < 12 for images in noisy)


def test_noise_is_normal_and_new_for_each_patch():
    source, noisy = changes(noise_hu=10)
    noises = [((image - source) / (image - source).std()).ravel() for image in noisy]
    together = torch.cat(noises)
    assert together.mean().abs() < 0.02
    assert (together.abs() < 1).float().mean() == pytest.approx(0.683, abs=0.01)
    likeness = torch.corrcoef(torch.stack(noises)) - torch.eye(len(noises))
    assert likeness.abs().max() < 0.15  # patches of 3072 voxels; chance alone reaches 0.07


def test_contrast_keeps_the_mean_and_changes_the_range():
    source, images = changes(contrast=0.3)
    ranges = {round((image.max() - image.min()).item()) for image in images}
    assert 600 in ranges
    assert all(600 * 0.69 < value < 600 * 1.31 for value in ranges)
    assert len(ranges) > 5
    assert all((batch.mean() - source.mean()).abs() < 0.1 for batch in images)


def test_gamma_keeps_the_ends_of_the_window_and_the_order():
    settings = AugmentSettings((), gamma=0.4)
    ramp = torch.linspace(-1000, 400, 64).reshape(4, 4, 4)
    label = torch.zeros(4, 4, 4, dtype=torch.uint8)
    seen = [changed(ramp, label, 1, settings, seed, (4, 4, 4))[0] for seed in range(60)]
    for image in seen:
        values = image.ravel()
        assert (values.diff() > 0).all()
        assert values[0].item() == pytest.approx(-1000, abs=0.01)
        assert values[-1].item() == pytest.approx(400, abs=0.01)
    assert any((image - ramp).abs().max() > 20 for image in seen)


@pytest.mark.parametrize("settings", [{"blur_mm": 2}, {"low_resolution": 2}])
def test_softer_patches_keep_their_mean_and_lose_their_edges(settings):
    source, images = changes(**settings)

    def edges(image):
        return image.diff(dim=2).square().mean().item()

    assert min(map(edges, images)) < 0.8 * edges(source)
    assert max(map(edges, images)) <= edges(source) * 1.001
    assert all((batch.mean() - source.mean()).abs() < 15 for batch in images)


def test_the_same_generator_gives_the_same_changes():
    settings = AugmentSettings(("x", "y"), 15, 5, 0.1, 1, 1, 0.5, 0.2, 0.2, 20, 15)
    torch.testing.assert_close(run(settings, 7)[0], run(settings, 7)[0], rtol=0, atol=0)
    assert (run(settings, 7)[0] != run(settings, 8)[0]).any()
