import numpy as np
import pytest
from scipy import ndimage

from ctseg.lung_training.bodies import draw_body
from ctseg.lung_training.sickness import SICKNESSES, SOLID_HU, WEIGHTS, make_sick

DENSE = {"masses", "consolidation", "effusion", "thick pleura", "atelectasis"}


@pytest.fixture(scope="module")
def healthy():
    return draw_body(np.random.default_rng(2))


def copied(body):
    return type(body)(body.hu.copy(), body.sides.copy(), body.gravity)


@pytest.mark.parametrize("name", SICKNESSES)
def test_a_sickness_changes_lungs_and_rim_alone_and_not_where_the_lungs_are(healthy, name):
    body = copied(healthy)
    added = make_sick(np.random.default_rng(5), body, name)
    changed = body.hu != healthy.hu
    assert changed[healthy.sides > 0].any()
    rim = ndimage.binary_dilation(healthy.sides > 0, np.ones((3, 3, 3))) & (healthy.hu > -500) & (healthy.hu < -120)
    assert not changed[(healthy.sides == 0) & ~rim].any()
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


def test_no_dark_line_shows_the_pleura_beside_fluid(healthy):
    body = copied(healthy)
    added = make_sick(np.random.default_rng(3), body, "effusion")
    rim = ndimage.binary_dilation(added, iterations=1) & (healthy.sides == 0)
    assert np.percentile(healthy.hu[rim], 10) < -200
    assert np.percentile(body.hu[rim], 10) > -150
    assert np.percentile(body.hu[rim] - np.maximum(healthy.hu[rim], 0), 90) < 60


def test_each_sickness_has_a_weight():
    assert len(WEIGHTS) == len(SICKNESSES)
    assert WEIGHTS.sum() == pytest.approx(1)
