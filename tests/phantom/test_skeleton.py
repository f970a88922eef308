"""Bones of the phantom have their correct positions, and no other voxel is changed."""

import numpy as np
import pytest

from ctseg.phantom.anatomy import cavity_distance
from ctseg.phantom.shapes import Axes
from ctseg.phantom.skeleton import CORTEX, DISC, MARROW, PITCH_MM, paint_ribs, paint_spine, spine_y_mm

AXES = Axes(
    np.arange(-48, 49, 2, dtype=np.float32),
    np.arange(-130, 150, 2, dtype=np.float32),
    np.arange(-150, 151, 2, dtype=np.float32),
)
X, Y, Z = AXES.open((slice(None),) * 3)
WATER = 0.0


def water() -> np.ndarray:
    return np.full(AXES.shape_zyx, WATER, np.float32)


def test_the_spine_bends_back_in_its_middle():
    at = np.array([-140.0, 10.0, 160.0])
    middle = spine_y_mm(at)
    assert middle[1] > middle[0]
    assert middle[1] > middle[2]


def test_vertebrae_and_discs_take_turns():
    hu = water()
    paint_spine(hu, 2.0, X, Y, Z)
    column = hu[:, np.abs(AXES.y - 70).argmin(), np.abs(AXES.x).argmin()]
    assert column.min() == pytest.approx(DISC, abs=5)
    assert MARROW - 5 < column.max() <= CORTEX + 1e-3
    repeat = int(PITCH_MM // 2)
    np.testing.assert_allclose(column[:-repeat], column[repeat:], atol=25)  # all vertebrae are alike


def test_the_spine_lies_in_the_middle_of_the_back():
    hu = water()
    paint_spine(hu, 2.0, X, Y, Z)
    painted = np.argwhere(hu != WATER)
    assert AXES.y[painted[:, 1].min()] >= 34
    assert np.abs(AXES.x[painted[:, 2]]).max() <= 45
    np.testing.assert_allclose(hu, hu[:, :, ::-1])  # both sides are alike


def test_ribs_lie_in_the_shell_around_the_cavity():
    hu, cavity = water(), cavity_distance(X, Y, Z)
    paint_ribs(hu, cavity, 2.0, X, Y, Z)
    painted = hu != WATER
    assert painted.any()
    assert ((cavity[painted] > 0) & (cavity[painted] < 12)).all()
    assert hu.max() <= CORTEX + 1e-3


def test_a_slab_without_a_chest_wall_has_no_ribs():
    hu = water()
    paint_ribs(hu, np.full(AXES.shape_zyx, 50, np.float32), 2.0, X, Y, Z)
    assert (hu == WATER).all()
