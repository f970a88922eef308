"""Shape, size and allowed positions of nodules."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balls import ball_volume_mm3
from ctseg.errors import ConfigError
from ctseg.phantom.nodules import (
    DIAMETER_RANGE_MM,
    GAP_MM,
    HILUM_GAP_MM,
    Nodule,
    draw_diameters_mm,
    paint_nodules,
    place_nodules,
)
from ctseg.phantom.shapes import Axes


@pytest.mark.parametrize("amplitude", [0.0, 0.1, 0.25])
def test_a_lobed_nodule_has_its_closed_form_volume(amplitude: float) -> None:
    nodule = Nodule((1.0, -2.0, 0.5), 20.0, 30.0, lobes=(((0.6, 0.0, 0.8), 2, amplitude),))
    at = np.arange(-16, 17, 0.5)
    mask = nodule.distance(at[None, None, :], at[None, :, None], at[:, None, None]) <= 0
    # The mean of (1 + a P2)³ over the sphere; P2² has the mean 1/5 and P2³ has 2/35.
    expected = ball_volume_mm3(20) * (1 + 3 / 5 * amplitude**2 + 2 / 35 * amplitude**3)
    assert mask.sum() * 0.5**3 == pytest.approx(expected, rel=0.01)
    assert np.abs(at[np.argwhere(mask)] - np.array([0.5, -2.0, 1.0])).max() <= nodule.reach_mm


AT = np.arange(-60, 60.1, 2.0, dtype=np.float32)
AXES = Axes(AT, AT, AT)
X, Y, Z = AXES.open((slice(None),) * 3)
LUNG_MM = np.sqrt(X * X + Y * Y + Z * Z) - 55  # one round lung


@given(st.integers(1, 20), st.integers(0, 2**16))
def test_diameters_are_mixed_and_the_largest_comes_first(count, seed):
    found = draw_diameters_mm(np.random.default_rng(seed), count)
    assert found == sorted(found, reverse=True)
    low, high = np.log(DIAMETER_RANGE_MM)
    parts = np.floor((np.log(found) - low) / (high - low) * count).clip(0, count - 1)
    assert parts.tolist() == list(range(count))[::-1]


def test_more_nodules_than_there_is_place_for_are_an_error():
    at = np.arange(-60, 61, 4, dtype=np.float32)
    axes = Axes(at, at, at)
    lung_mm = np.sqrt(sum(axis * axis for axis in axes.open((slice(None),) * 3))) - 50
    with pytest.raises(ConfigError, match=r"no place for more than \d+ nodules; lower cases.phantom.nodules"):
        place_nodules(np.random.default_rng(0), axes, lung_mm, [(200.0, 0.0, 0.0)], 500)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16))
def test_nodules_keep_away_from_each_other_the_hila_and_the_pleura(seed):
    hilum = (-30.0, 0.0, 0.0)
    at = np.arange(-120, 121, 4, dtype=np.float32)
    axes = Axes(at, at, at)
    lung_mm = np.sqrt(sum(axis * axis for axis in axes.open((slice(None),) * 3))) - 110  # one round lung
    nodules = place_nodules(np.random.default_rng(seed), axes, lung_mm, [hilum], 4)
    assert len(nodules) == 4
    centres = np.array([nodule.centre_xyz_mm for nodule in nodules])
    assert (np.linalg.norm(centres - hilum, axis=1) > HILUM_GAP_MM - 2).all()
    for nodule, centre in zip(nodules, centres, strict=True):
        beyond_mm = np.linalg.norm(centre) + nodule.reach_mm - 110
        assert beyond_mm > -2 if nodule.at_pleura else beyond_mm < 0
    for (one, first), (other, second) in combinations(zip(nodules, centres, strict=True), 2):
        assert np.linalg.norm(first - second) > one.reach_mm + other.reach_mm + GAP_MM - 4


def test_a_painted_nodule_has_its_hu_and_its_label_ends_at_the_pleura():
    solid = Nodule((0.0, 0.0, 0.0), 24.0, 40.0)
    rim = Nodule((0.0, 0.0, -40.0), 20.0, 30.0, core=0.5, rim_hu=-300.0)
    cut = Nodule((55.0, 0.0, 0.0), 20.0, 20.0)
    hu = np.full(AXES.shape_zyx, -850, np.float32)
    label = paint_nodules(hu, LUNG_MM, AXES, (solid, rim, cut), 2.0)
    assert hu[30, 30, 30] == 40
    assert hu[10, 30, 30] == 30
    assert hu[10, 30, 34] == pytest.approx(-300, abs=30)  # 8 mm from the centre of the part-solid one
    assert not label[LUNG_MM > 0].any()
    assert label[30, 30, 56] == 1
    assert label[:, :, 46:].sum() * 8 < 0.6 * ball_volume_mm3(20)
    assert label[14:, :, :46].sum() * 8 == pytest.approx(ball_volume_mm3(24), rel=0.08)
