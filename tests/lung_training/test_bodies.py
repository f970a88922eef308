import numpy as np
import pytest

from ctseg.lung_training.bodies import LEFT, RIGHT, SHAPE_ZYX, Body, draw_body, varied


def test_a_drawn_chest_has_two_lungs_of_air_on_their_sides():
    body = draw_body(np.random.default_rng(4))
    assert body.hu.shape == body.sides.shape == SHAPE_ZYX
    for side in (RIGHT, LEFT):
        assert (body.sides == side).sum() * 0.027 > 400
        assert body.hu[body.sides == side].mean() < -500
    assert np.nonzero(body.sides == RIGHT)[2].max() <= np.nonzero(body.sides == LEFT)[2].min() + 40
    assert np.nonzero(body.sides == RIGHT)[2].mean() < np.nonzero(body.sides == LEFT)[2].mean()


def test_the_same_seed_gives_the_same_body():
    first, second = (varied(np.random.default_rng(1), draw_body(np.random.default_rng(0))) for _ in range(2))
    np.testing.assert_array_equal(first.hu, second.hu)
    np.testing.assert_array_equal(first.sides, second.sides)


def test_bodies_differ():
    first, second = (draw_body(np.random.default_rng(seed)) for seed in (1, 2))
    assert (first.sides != second.sides).mean() > 0.005


def test_a_mirrored_body_has_its_right_lung_on_the_right_again():
    sides = np.zeros((1, 1, 5), np.uint8)
    sides[0, 0] = [RIGHT, RIGHT, 0, 0, LEFT]
    mirrored = Body(np.arange(5, dtype=np.float32).reshape(1, 1, 5), sides).mirrored()
    assert mirrored.sides[0, 0].tolist() == [RIGHT, 0, 0, LEFT, LEFT]
    assert mirrored.hu[0, 0].tolist() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("height_mm", [-380.0])
def test_a_trunk_below_the_domes_has_no_lungs(height_mm):
    assert not draw_body(np.random.default_rng(0), height_mm).sides.any()
