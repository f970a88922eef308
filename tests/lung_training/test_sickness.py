import numpy as np
import pytest

from ctseg.lung_training.bodies import draw_body
from ctseg.lung_training.sickness import SICKNESSES, SOLID_HU, WEIGHTS, make_sick

DENSE = {"masses", "consolidation", "effusion", "thick pleura", "atelectasis"}


@pytest.fixture(scope="module")
def healthy():
    return draw_body(np.random.default_rng(2))


def copied(body):
    return type(body)(body.hu.copy(), body.sides.copy(), body.gravity)


@pytest.mark.parametrize("name", SICKNESSES)
def test_a_sickness_changes_the_lungs_alone_and_not_where_they_are(healthy, name):
    body = copied(healthy)
    added = make_sick(np.random.default_rng(5), body, name)
    changed = body.hu != healthy.hu
    assert changed.any()
    assert not changed[healthy.sides == 0].any()
    np.testing.assert_array_equal(body.sides, healthy.sides)
    assert not added[healthy.sides == 0].any()
    assert (body.hu[added] > SOLID_HU).all()


@pytest.mark.parametrize("name", sorted(DENSE))
def test_dense_sicknesses_are_added_in_most_draws(healthy, name):
    assert any(make_sick(np.random.default_rng(seed), copied(healthy), name).any() for seed in range(4))


@pytest.mark.parametrize("name", SICKNESSES)
def test_a_body_without_lungs_stays_as_it_is(healthy, name):
    body = copied(healthy)
    body.sides[:] = 0
    assert not make_sick(np.random.default_rng(0), body, name).any()
    np.testing.assert_array_equal(body.hu, healthy.hu)


def test_each_sickness_has_a_weight():
    assert len(WEIGHTS) == len(SICKNESSES)
    assert WEIGHTS.sum() == pytest.approx(1)
