"""Random augmentation parameters of a patch: rotations, size of the source patch, and ranges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.training.random_changes import (
    AugmentSettings,
    Changes,
    affine_matrix,
    draw_changes,
    moved_points_mm,
    rotation_xyz,
    stock_size,
)

PATCH = (12, 16, 16)
CUBES = (1.0, 1.0, 1.0)


def test_rotations_turn_by_right_angles_about_the_axis_named():
    x, y, z = np.eye(3)
    np.testing.assert_allclose(rotation_xyz(0, 0, 90) @ x, y, atol=1e-12)
    np.testing.assert_allclose(rotation_xyz(90, 0, 0) @ y, z, atol=1e-12)
    np.testing.assert_allclose(rotation_xyz(0, 90, 0) @ z, x, atol=1e-12)


def test_what_is_cut_reaches_beyond_every_deformed_patch():
    settings = AugmentSettings((), rotate_degrees=45, tilt_degrees=10, scale=0.2)
    size = settings.source_patch(PATCH, (1.0, 1.0, 3.0))
    assert all(cut >= patch for cut, patch in zip(size, PATCH, strict=True))
    for seed in range(50):
        matrix = affine_matrix(np.random.default_rng(seed), settings, size, PATCH, (1.0, 1.0, 3.0))
        assert np.abs(matrix).sum(axis=1).max() <= 1  # source positions of the corners


EVERYTHING = AugmentSettings(("x", "z"), 15, 10, 0.2, 1.5, 1, 0.7, 0.2, 0.3, 20, 15)
SPACING = (1.0, 1.5, 2.0)


def drawn(settings, seed=0, deformed=True):
    source = settings.source_patch(PATCH, SPACING)
    return draw_changes(np.random.default_rng(seed), settings, source, PATCH, SPACING, deformed)


def test_nothing_is_drawn_where_all_is_switched_off():
    found = drawn(AugmentSettings(()), deformed=False)
    assert found == Changes((False,) * 3, None, None, 0.0, None, 1.0, 1.0, 0.0, 0, 0.0)


def test_the_same_generator_draws_the_same():
    first, again = drawn(EVERYTHING, 3), drawn(EVERYTHING, 3)
    assert str(first) == str(again) != str(drawn(EVERYTHING, 4))


def test_all_draws_stay_within_their_limits():
    many = [drawn(EVERYTHING, seed) for seed in range(200)]
    assert {found.flips for found in many} == {(z, False, x) for z in (False, True) for x in (False, True)}
    assert all(np.abs(found.moved_mm).max() <= 2 * EVERYTHING.elastic_mm for found in many)
    assert all(0 <= found.blur_mm <= 1 and abs(found.shift_hu) <= 20 and 0 <= found.noise_hu <= 15 for found in many)
    assert all(0.8 <= found.contrast <= 1.2 and 0.7 <= found.gamma <= 1.3 for found in many)
    assert all(found.noise_start + math.prod(PATCH) <= stock_size(PATCH) for found in many)
    for value in ("contrast", "gamma"):  # unchanged in three of four patches
        assert 0.6 < np.mean([getattr(found, value) == 1 for found in many]) < 0.9
    coarse = [found.coarse_zyx for found in many if found.coarse_zyx]
    assert 0.1 < len(coarse) / len(many) < 0.4
    assert all(2 <= size <= full for sizes in coarse for size, full in zip(sizes, PATCH, strict=True))


def test_a_mirrored_patch_has_a_mirrored_matrix():
    settings = AugmentSettings(("y",), rotate_degrees=1e-9)
    for seed in range(10):
        found = drawn(settings, seed)
        signs = [-1 if flip else 1 for flip in found.flips[::-1]]
        np.testing.assert_allclose(found.matrix, np.diag(signs), atol=1e-6)


def test_points_that_move_are_spread_over_the_patch():
    rng = np.random.default_rng(0)
    moved = moved_points_mm(rng, AugmentSettings((), elastic_mm=2), (64, 32, 8), (1.0, 1.0, 1.0))
    assert moved.shape == (3, 3, 2, 2)  # 32 mm apart, at least two per axis


@given(st.tuples(*[st.floats(-180, 180)] * 3))
def test_rotations_keep_lengths_and_hands(angles):
    matrix = rotation_xyz(*angles)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)
