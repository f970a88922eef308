from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from ctseg.geometry.volume import Grid, Volume
from ctseg.preprocessing.preparation import Preparation, air_hu, prepare_image, prepare_label
from grids import grids

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
BODY = Preparation((1.0, 1.0, 1.0), (-1000.0, 400.0), "body", 2.0)


def test_a_scan_is_cropped_to_the_body_and_clipped():
    voxels = np.full((20, 30, 40), -1024, np.int16)
    voxels[5:10, 10:20, 20:30] = 1000
    image = Volume(voxels, Grid((20, 30, 40), (1, 1, 1), (0, 0, 0), IDENTITY))
    prepared = prepare_image(image, None, BODY)
    assert prepared.voxels_zyx.shape == (9, 14, 14)
    assert prepared.voxels_zyx.dtype == np.int16
    assert prepared.grid.origin_xyz_mm == pytest.approx((18, 8, 3))
    assert set(np.unique(prepared.voxels_zyx)) == {-1000, 400}


def test_the_lungs_are_cropped_to_where_they_are_given():
    image = Volume(np.zeros((20, 20, 20), np.int16), Grid((20, 20, 20), (1, 1, 1), (0, 0, 0), IDENTITY))
    lungs = np.zeros((20, 20, 20), np.uint8)
    lungs[8:12, 8:12, 8:12] = 1
    in_lungs = replace(BODY, region="lungs")
    assert prepare_image(image, image.with_voxels(lungs), in_lungs).voxels_zyx.shape == (8, 8, 8)
    assert prepare_image(image, image.with_voxels(lungs), BODY).voxels_zyx.shape == (20, 20, 20)


def test_an_empty_scan_is_kept_whole():
    image = Volume(np.full((4, 5, 6), -1024, np.int16), Grid((4, 5, 6), (1, 1, 1), (0, 0, 0), IDENTITY))
    assert prepare_image(image, None, BODY).voxels_zyx.shape == (4, 5, 6)


@given(grids(sheared=False))
@settings(max_examples=30, deadline=None)
def test_any_orientation_keeps_its_middle(grid):
    image = Volume(np.zeros(grid.shape_zyx, np.int16), grid)
    prepared = prepare_image(image, None, Preparation((2.0, 2.0, 2.0), (-1000.0, 400.0), "body", 0.0))
    centre, prepared_centre = (g.points_xyz_mm((np.array(g.shape_zyx) - 1) / 2)[0] for g in (grid, prepared.grid))
    np.testing.assert_allclose(prepared_centre, centre, atol=1e-6)


def test_labels_follow_the_image():
    grid = Grid((20, 20, 20), (1, 1, 1), (0, 0, 0), IDENTITY)
    label = np.zeros((20, 20, 20), np.uint8)
    label[5:15, 5:15, 5:15] = 1
    image = Volume(np.where(label, 50, -1024).astype(np.int16), grid)
    prepared = prepare_image(image, None, Preparation((2.0, 2.0, 2.0), (-1000.0, 400.0), "body", 4.0))
    moved = prepare_label(image.with_voxels(label), prepared, 1)
    assert moved.grid.matches(prepared.grid)
    assert moved.voxels_zyx.sum() * 8 == pytest.approx(1000, rel=0.3)


@pytest.mark.parametrize(
    ("window_hu", "expected_hu"),
    [((-1000, 400), -500), ((-160, 240), -160), ((-1075, -842), -1075), ((-1000, -500), -1000), ((-500, 0), -500)],
)
def test_no_target_of_gas_counts_as_air(window_hu, expected_hu):
    assert air_hu(window_hu) == expected_hu
