from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.geometry.resample import resample
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.native_grid import binary_entropy, interpolated, places_along, to_native_grid
from ctseg.masks.label_map import label_map
from grids import grids

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def blobs(shape, seed, n_classes=2):
    """Random probabilities [class, z, y, x], at most 0.4 in the first half of the slices."""
    rng = np.random.default_rng(seed)
    field = rng.random((n_classes, *shape)).astype(np.float32)
    field[:, : shape[0] // 2] *= 0.4
    return field


def cut(probabilities, cuts):
    """Probabilities [class, z, y, x] as slabs (first row, probabilities), cut at the rows `cuts`."""
    rows = [0, *sorted(set(cuts) & set(range(1, probabilities.shape[1]))), probabilities.shape[1]]
    return [(first, probabilities[:, first:stop]) for first, stop in pairwise(rows)]


def on_grid(probabilities, grid, target, threshold, cuts=(), tile=64):
    maps = to_native_grid(cut(probabilities, cuts), grid, target, threshold, probability=True, tile=tile)
    return maps.labels, maps.probability


@given(grids(sheared=False, largest=12), st.lists(st.integers(1, 8), max_size=8), st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_deciding_slab_by_slab_in_boxes_equals_deciding_everywhere(target, cuts, tile):
    centre = target.points_xyz_mm((np.array(target.shape_zyx) - 1) / 2)[0]
    spacing = (1.7, 1.3, 2.1)
    origin = tuple((centre - np.array(spacing) * 4).tolist())
    grid = Grid((9, 9, 9), spacing, origin, IDENTITY)
    probabilities = blobs(grid.shape_zyx, seed=1)
    moved = np.stack([resample(Volume(channel, grid), target, fill=0).voxels_zyx for channel in probabilities])
    maps = to_native_grid(cut(probabilities, cuts), grid, target, 0.5, probability=True, entropy=True, tile=tile)
    clear = np.abs(moved.max(axis=0) - 0.5) > 1e-5  # not decided by rounding
    np.testing.assert_array_equal(maps.labels.voxels_zyx[clear], label_map(moved, 0.5)[clear])
    bits = binary_entropy(moved.max(axis=0)) * 255
    sure = np.abs(moved.max(axis=0) - 0.05) > 1e-5
    np.testing.assert_allclose(maps.entropy.voxels_zyx[sure], bits[sure], atol=0.6)


@pytest.mark.parametrize("seed", range(30))
def test_parallel_axes_are_interpolated_as_any_others(seed):
    rng = np.random.default_rng(seed)
    grid = Grid((5, 7, 9), (1.7, 1.3, 2.1), (1.0, -2.0, 3.0), IDENTITY)
    direction = tuple(map(tuple, np.diag(rng.choice([-1.0, 1.0], 3))))
    shape = tuple(rng.integers(1, 20, 3).tolist())
    spacing = tuple(rng.uniform(0.3, 3, 3).tolist())
    middle = grid.points_xyz_mm((np.array(grid.shape_zyx) - 1) / 2)[0] + rng.uniform(-4, 4, 3)
    origin = middle - np.diag(direction) * (np.array(shape[::-1]) - 1) / 2 * spacing
    target = Grid(shape, spacing, tuple(origin.tolist()), direction)
    block = rng.random((2, *grid.shape_zyx), dtype=np.float32)
    whole = tuple(slice(0, size) for size in shape)
    found = interpolated(block, [places_along(axis, target, grid, whole) for axis in range(3)], target)
    assert found is not None
    expected = [resample(Volume(channel, grid), target, fill=0).voxels_zyx for channel in block]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_turned_axes_are_left_to_the_general_way():
    turned = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    grid, target = Grid((4, 4, 4), (1, 1, 1), (0, 0, 0), IDENTITY), Grid((4, 4, 4), (1, 1, 1), (0, 0, 0), turned)
    places = [places_along(axis, target, grid, (slice(0, 4),) * 3) for axis in range(3)]
    assert interpolated(np.zeros((1, 4, 4, 4), np.float32), places, target) is None


def test_slabs_on_an_aligned_grid_lose_no_voxel_between_them():
    # Voxels of the scan are exactly on rows of the network grid, the border between two slabs.
    grid = Grid((12, 8, 8), (1.0, 1.0, 0.7), (0, 0, 0.3), IDENTITY)
    target = Grid((23, 8, 8), (1.0, 1.0, 0.35), (0, 0, 0.3), IDENTITY)
    everywhere = np.full((1, 12, 8, 8), 0.9, np.float32)
    for cuts in ((1, 2, 3), (5,), tuple(range(12))):
        for tile in (1, 3, 64):
            assert on_grid(everywhere, grid, target, 0.5, cuts, tile)[0].voxels_zyx.all()


def test_a_higher_threshold_follows_from_the_probability():
    grid = Grid((9, 9, 9), (2, 2, 2), (0, 0, 0), IDENTITY)
    target = Grid((17, 17, 17), (1, 1, 1), (0, 0, 0), IDENTITY)
    probabilities = blobs(grid.shape_zyx, seed=2)
    maps = to_native_grid(cut(probabilities, ()), grid, target, 0.3, probability=True)
    higher = on_grid(probabilities, grid, target, 0.6)[0].voxels_zyx
    differing = np.where(maps.probability.voxels_zyx >= 0.6 * 255, maps.low_threshold.voxels_zyx, 0) != higher
    assert differing.mean() < 0.01  # voxels within 1/255 of the threshold
    assert (maps.probability.voxels_zyx[maps.labels.voxels_zyx > 0] >= 0.3 * 255 - 0.5).all()
    np.testing.assert_array_equal(maps.low_threshold.voxels_zyx > 0, maps.probability.voxels_zyx > 0)
    assert not (maps.labels.voxels_zyx > maps.low_threshold.voxels_zyx).any()


def test_nothing_found_is_an_empty_map_on_the_scan():
    grid = Grid((4, 4, 4), (2, 2, 2), (0, 0, 0), IDENTITY)
    target = Grid((9, 8, 7), (1, 1, 1), (0, 0, 0), IDENTITY)
    labels, probability = on_grid(np.full((1, 4, 4, 4), 0.04, np.float32), grid, target, 0.5)
    assert labels.grid == target
    assert labels.voxels_zyx.dtype == np.uint8
    assert not labels.voxels_zyx.any()
    assert not probability.voxels_zyx.any()


def test_a_ball_keeps_its_place_and_volume_on_the_finer_grid():
    grid = Grid((20, 20, 20), (2, 2, 2), (1, 1, 1), IDENTITY)
    centres = grid.points_xyz_mm(np.array(list(np.ndindex(20, 20, 20))))
    distance = np.linalg.norm(centres - [20, 24, 18], axis=1).reshape(20, 20, 20)
    probability = (1 / (1 + np.exp(distance - 8))).astype(np.float32)[None]
    target = Grid((40, 40, 40), (1, 1, 1), (0.5, 0.5, 0.5), IDENTITY)
    found = on_grid(probability, grid, target, 0.5)[0].voxels_zyx > 0
    assert found.sum() == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.05)
    np.testing.assert_allclose(target.points_xyz_mm(np.argwhere(found)).mean(axis=0), [20, 24, 18], atol=0.1)
