import numpy as np
import pytest
from hypothesis import given, settings

from ctseg.geometry.resample import bounding_box, grow_box, orient, resample, resample_labels
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from grids import grids

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def ramp(grid):
    """Volume with values that are a linear function of the position in mm."""
    points = grid.points_xyz_mm(np.array(list(np.ndindex(*grid.shape_zyx))))
    return Volume((points @ [0.3, -0.2, 0.5]).reshape(grid.shape_zyx).astype(np.float64), grid)


@given(grids())
@settings(max_examples=50)
def test_a_linear_function_of_the_world_survives_resampling(grid):
    volume = ramp(grid)
    finer = grid.with_spacing(tuple(0.7 * spacing for spacing in grid.spacing_xyz_mm))
    moved = resample(volume, finer, fill=np.nan)
    indices = grid.indices_zyx(finer.points_xyz_mm(np.array(list(np.ndindex(*finer.shape_zyx)))))
    inside = ((indices >= 0) & (indices <= np.array(grid.shape_zyx) - 1)).all(axis=1).reshape(finer.shape_zyx)
    np.testing.assert_allclose(moved.voxels_zyx[inside], ramp(finer).voxels_zyx[inside], atol=1e-3)


@given(grids())
@settings(max_examples=50)
def test_orienting_moves_no_voxel_in_the_world(grid):
    volume = ramp(grid)
    turned = orient(volume)
    np.testing.assert_allclose(turned.voxels_zyx, ramp(turned.grid).voxels_zyx, atol=1e-6)
    again = orient(turned)
    assert again.grid.matches(turned.grid)


def test_integers_are_rounded_not_cut_off():
    grid = Grid((2, 2, 11), (1, 1, 1), (0, 0, 0), IDENTITY)
    ramp_hu = Volume(np.broadcast_to(np.arange(-50, 60, 10), (2, 2, 11)).astype(np.int16), grid)
    moved = resample(ramp_hu, Grid((2, 2, 100), (0.1, 1, 1), (0.07, 0, 0), IDENTITY)).voxels_zyx[0, 0]
    exact = -50 + 10 * (0.07 + 0.1 * np.arange(100))
    np.testing.assert_array_equal(moved, np.rint(exact))
    assert moved.dtype == np.int16


def test_orienting_makes_a_flipped_grid_run_left_back_head():
    grid = Grid((3, 4, 5), (1, 2, 3), (10, 20, 30), ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)))
    assert orient(ramp(grid)).grid.direction == IDENTITY


def test_outside_of_the_scan_is_air():
    grid = Grid((4, 4, 4), (1, 1, 1), (0, 0, 0), IDENTITY)
    shifted = Grid((4, 4, 4), (1, 1, 1), (2, 0, 0), IDENTITY)
    moved = resample(Volume(np.zeros((4, 4, 4), np.int16), grid), shifted)
    assert (moved.voxels_zyx[..., :2] == 0).all()
    assert (moved.voxels_zyx[..., 2:] == AIR_HU).all()


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (0.6, 0.6, 1.4)])
def test_a_ball_keeps_its_volume_as_a_label(spacing):
    grid = Grid((40, 40, 40), (1, 1, 1), (0, 0, 0), IDENTITY)
    distance = np.linalg.norm(np.indices(grid.shape_zyx) - 19.5, axis=0)
    labels = Volume(np.where(distance < 12, 1, np.where(distance < 15, 2, 0)).astype(np.uint8), grid)
    moved = resample_labels(labels, grid.with_spacing(spacing), n_classes=2)
    for value, outer, inner in ((1, 12, 0), (2, 15, 12)):
        volume = (moved.voxels_zyx == value).sum() * moved.grid.voxel_volume_mm3
        assert volume == pytest.approx(4 / 3 * np.pi * (outer**3 - inner**3), rel=0.05)


def test_the_box_of_a_mask_and_its_margin_end_at_the_border():
    mask = np.zeros((10, 10, 10), bool)
    assert bounding_box(mask) is None
    mask[2:4, 5, 9] = True
    box = bounding_box(mask)
    assert box == (slice(2, 4), slice(5, 6), slice(9, 10))
    grid = Grid((10, 10, 10), (1, 2, 3), (0, 0, 0), IDENTITY)
    assert grow_box(box, 4, grid) == (slice(0, 6), slice(3, 8), slice(5, 10))
