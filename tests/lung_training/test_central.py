import numpy as np
import pytest

from ctseg.lung_training.bodies import Body, draw_body
from ctseg.lung_training.central import hilar_mass, hilar_places


@pytest.fixture(scope="module")
def healthy():
    return draw_body(np.random.default_rng(2), -10.0)


@pytest.mark.parametrize("side", [1, 2])
def test_places_lie_outside_of_the_lung_and_between_both(healthy, side):
    places = hilar_places(healthy, side)
    assert len(places) > 50
    assert (healthy.sides[tuple(places.T)] != side).all()
    middle_x = np.nonzero(healthy.sides == side)[2].mean()
    assert ((places[:, 2] < middle_x) == (side == 2)).all()


def test_a_tumour_of_the_hilum_belongs_to_the_field_outside_of_the_lung_too(healthy):
    grown = 0
    for seed in range(4):
        body = Body(healthy.hu.copy(), healthy.sides.copy())
        added = hilar_mass(np.random.default_rng(seed), body)
        assert added.any()
        assert (body.sides[added] > 0).all()
        np.testing.assert_array_equal(body.sides[~added], healthy.sides[~added])
        grown += np.count_nonzero(added & (healthy.sides == 0))
    assert grown > 100


def test_without_lungs_there_is_no_hilum(healthy):
    body = Body(healthy.hu.copy(), np.zeros_like(healthy.sides))
    assert not hilar_mass(np.random.default_rng(0), body).any()
