import numpy as np
import pytest

from ctseg.lung_training.random_fields import SPACING_MM, blend, lump, smooth_noise, soft

SHAPE = (40, 44, 48)


@pytest.mark.parametrize("length_mm", [5.0, 40.0])
def test_noise_is_standard_and_the_same_for_the_same_seed(length_mm):
    first, second = (smooth_noise(np.random.default_rng(3), SHAPE, length_mm) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == SHAPE
    assert abs(first.mean()) < 1
    assert 0.3 < first.std() < 1.5


def test_longer_noise_is_smoother():
    rough, smooth = (
        np.abs(np.diff(smooth_noise(np.random.default_rng(1), SHAPE, mm), axis=0)).mean() for mm in (6, 60)
    )
    assert smooth < rough / 3


def test_a_lump_has_about_its_radius():
    distance = lump(np.random.default_rng(0), SHAPE, np.array([20, 22, 24]), 30.0, 0.1)
    volume = (distance < 0).sum() * SPACING_MM**3
    assert 0.3 < volume / (4 / 3 * np.pi * 30**3) < 3
    assert distance[20, 22, 24] < 0 < distance[0, 0, 0]


def test_blending_by_a_soft_edge_reaches_the_value_inside_alone():
    hu = np.full((5,), -800, np.float32)
    blend(hu, soft(np.array([-9, -1.5, 0, 1.5, 9], np.float32)), 40.0)
    assert hu.tolist() == [40, 40, -380, -800, -800]
