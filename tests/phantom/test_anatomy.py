"""Chest of the phantom: lungs in a cavity in a body, with the HU of their tissues."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ctseg.phantom.anatomy import (
    AIR,
    BLOOD,
    HILA,
    LUMEN,
    Anatomy,
    airways,
    body_distance,
    cavity_distance,
    great_vessels,
    paint_chest,
)
from ctseg.phantom.shapes import Axes

ANATOMY = Anatomy.draw(np.random.default_rng(1))
AXES = Axes(
    np.arange(-120, 140, 6, dtype=np.float32),
    np.arange(-150, 160, 5, dtype=np.float32),
    np.arange(-180, 181, 5, dtype=np.float32),
)
XYZ = AXES.open((slice(None),) * 3)


@cache
def chest() -> tuple[np.ndarray, np.ndarray]:
    """HU and signed distance to the lung fields of a chest without texture, both [z, y, x]."""
    return paint_chest(ANATOMY, AXES, np.zeros(AXES.shape_zyx, np.float32), 5.0)


def at(x: float, y: float, z: float) -> tuple[int, int, int]:
    """Index (z, y, x) of the voxel nearest to a point (x, y, z) in mm."""
    found = (np.abs(axis - place).argmin() for axis, place in zip((AXES.z, AXES.y, AXES.x), (z, y, x), strict=True))
    return tuple(int(place) for place in found)


def test_patients_differ_within_their_ranges():
    drawn = [Anatomy.draw(np.random.default_rng(seed)) for seed in range(50)]
    assert len(set(drawn)) == 50
    for one in drawn:
        assert one.dome_left_mm < one.dome_right_mm  # the liver lifts the right dome
        assert one.breast_mm == 0 or one.breast_mm >= 18
        assert -870 <= one.lung_hu <= -780
    assert {one.breast_mm > 0 for one in drawn} == {True, False}


def test_the_lungs_lie_in_the_cavity_and_the_cavity_in_the_body():
    _, lungs = chest()
    cavity, body = cavity_distance(*XYZ), body_distance(ANATOMY, *XYZ)
    assert (cavity[lungs < 0] < 0).all()
    inside = np.broadcast_to(body, cavity.shape)[cavity < 0]
    assert inside.max() < -ANATOMY.fat_mm


def test_both_lungs_are_there_and_apart():
    _, lungs = chest()
    left, right = lungs[:, :, AXES.x > 0] < 0, lungs[:, :, AXES.x < 0] < 0
    voxel_litres = 6 * 5 * 5 / 1e6
    assert 1 < left.sum() * voxel_litres < right.sum() * voxel_litres < 4  # the heart reduces the left lung
    assert not (lungs[:, :, np.abs(AXES.x) < 1] < 0)[:, AXES.y > 0].any()  # in the back, the mediastinum separates them


def test_tissues_are_where_they_belong():
    hu, lungs = chest()
    assert hu[at(0, -140, 0)] == AIR
    assert np.percentile(hu[lungs < -8], 99) < -700  # except the walls of the airways
    assert hu[at(23, 44, -60)] == pytest.approx(BLOOD, abs=10)  # the descending aorta
    assert hu[at(-2, 16, 60)] == pytest.approx(LUMEN, abs=60)  # the trachea
    assert 0 < hu[at(-70, 0, -110)] < 90  # the liver
    assert hu[:, :, at(0, 0, 0)[2]].max() > 150  # bone


def test_slabs_show_no_seams():
    hu, lungs = chest()
    shifted = Axes(AXES.z[3:], AXES.y, AXES.x)
    again = paint_chest(ANATOMY, shifted, np.zeros(shifted.shape_zyx, np.float32), 5.0)
    np.testing.assert_array_equal(again[0], hu[3:])
    np.testing.assert_array_equal(again[1], lungs[3:])


def test_a_fatter_patient_has_the_skin_farther_out_and_the_same_lungs():
    fatter = replace(ANATOMY, fat_mm=ANATOMY.fat_mm + 10, breast_mm=0.0)
    thin = body_distance(replace(ANATOMY, breast_mm=0.0), *XYZ)
    assert (body_distance(fatter, *XYZ) < thin + 1e-3).all()
    np.testing.assert_array_equal(paint_chest(fatter, AXES, np.zeros(AXES.shape_zyx, np.float32), 5.0)[1], chest()[1])


def test_vessels_and_airways_taper_and_reach_the_hila():
    for tubes in (great_vessels(), airways()):
        assert (tubes.start_radius_mm > 0).all()
        assert (tubes.end_radius_mm > 0).all()
        for hilum in HILA.values():
            assert np.linalg.norm(tubes.end_xyz_mm - hilum, axis=1).min() < 25
