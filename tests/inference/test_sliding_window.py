import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.inference.sliding_window import large_windows, profile, slabs, sliding_window, tiling, window_starts

PATCH = (8, 8, 8)


def local(patches):
    """Network with two classes that averages neighbours of each voxel."""
    padded = np.pad(patches, [(0, 0), (0, 0), (1, 1), (1, 1), (1, 1)], mode="edge")
    depth, height, width = patches.shape[2:]
    mean = sum(padded[:, :, a : a + depth, 1 : 1 + height, 1 : 1 + width] for a in range(3)) / 3000
    return np.concatenate([mean, 1 - mean], axis=1).astype(np.float32)


def scan(shape, seed=0):
    return np.random.default_rng(seed).integers(-1000, 400, shape).astype(np.int16)


def whole(image, tiles, network=local, air_hu=-np.inf):
    found = slabs(lambda a, b: image[a:b], tiles, network, 2, 1, air_hu, -1000)
    return np.concatenate([slab.copy() for _, slab in found], axis=1)


@given(st.integers(1, 300), st.integers(1, 100), st.integers(0, 90))
def test_windows_cover_every_voxel_and_overlap_enough(size, window, shared):
    starts = window_starts(size, window, shared)
    covered = np.zeros(max(size, window), bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered[:size].all()
    assert starts[0] == 0
    if size > window:
        assert starts[-1] == size - window
        assert np.diff(starts).max() <= max(1, window - shared) + 1


@pytest.mark.parametrize("shape", [(20, 30, 25), (7, 30, 9), (3, 3, 3)])
def test_a_pointwise_network_gives_the_same_as_applied_to_the_whole(shape):
    image = scan(shape)

    def network(patches):
        return np.concatenate([patches / 1000, 1 - patches / 1000], axis=1)

    result = sliding_window(image, network, 2, PATCH, 0.5, 3, fill=-1000)
    assert result.shape == (2, *shape)
    np.testing.assert_allclose(result[0], image / 1000, atol=1e-5)
    np.testing.assert_allclose(result[1], 1 - image / 1000, atol=1e-5)


@given(st.tuples(*[st.integers(3, 40)] * 3), st.floats(0, 0.7), st.sampled_from([1e9, 60_000, 1]))
@settings(max_examples=30, deadline=None)
def test_slabs_equal_windows_that_are_added_up_in_a_whole_volume(shape, overlap, most_bytes):
    image = scan(shape)
    tiles = large_windows(shape, PATCH, overlap, (4, 4, 4), 2, 20, most_bytes)
    padded = np.pad(image, [(0, full - size) for full, size in zip(tiles.padded_zyx, shape, strict=True)])
    for axis, size in enumerate(shape):
        padded[(slice(None),) * axis + (slice(size, None),)] = -1000
    total, weight = np.zeros((2, *padded.shape)), np.zeros(padded.shape)
    weights = np.einsum("z,y,x->zyx", *tiles.profiles_zyx)
    for z in tiles.starts_zyx[0]:
        for y in tiles.starts_zyx[1]:
            for x in tiles.starts_zyx[2]:
                box = tuple(slice(a, a + n) for a, n in zip((z, y, x), tiles.window_zyx, strict=True))
                total[(slice(None), *box)] += local(padded[box].astype(np.float32)[None, None])[0] * weights
                weight[box] += weights
    expected = (total / weight)[:, : shape[0], : shape[1], : shape[2]]
    np.testing.assert_allclose(whole(image, tiles), expected, atol=1e-5)


def test_a_slab_is_told_as_soon_as_it_is_done_and_each_row_is_read_once():
    image, read = scan((30, 12, 12)), []

    def read_rows(first, stop):
        read.append((first, stop))
        return image[first:stop]

    tiles = tiling((30, 12, 12), PATCH, PATCH, 0.5)
    firsts = []
    for first, slab in slabs(read_rows, tiles, local, 2, 4, -np.inf, -1000):
        assert read[-1][1] <= first + 2 * PATCH[0]  # rows are not read long before they are needed
        firsts.append((first, first + slab.shape[1]))
    assert [span[0] for span in read] == [0, *(span[1] for span in read[:-1])]
    assert firsts[0][0] == 0
    assert firsts[-1][1] == 30
    assert all(a[1] == b[0] for a, b in pairwise(firsts))


def test_windows_of_air_are_not_computed():
    image = np.full((8, 8, 32), -1000, np.int16)
    image[:, :, :8] = 0
    seen = []

    def network(patches):
        seen.append(patches)
        return local(patches)

    found = whole(image, tiling(image.shape, PATCH, PATCH, 0.0), network, air_hu=-500)
    assert len(seen) == 1
    assert not found[:, :, :, 8:].any()
    assert found[1, :, :, :8].min() > 0.9


def test_padding_is_filled_with_air():
    seen = []

    def network(patches):
        seen.append(patches)
        return patches

    sliding_window(np.zeros((2, 2, 2), np.int16), network, 1, (4, 4, 4), 0.5, 1, fill=-1000)
    (patches,) = seen
    assert (patches[0, 0, :2, :2, :2] == 0).all()
    assert (patches == -1000).sum() == 64 - 8


@pytest.mark.parametrize(("window", "patch"), [(8, 8), (9, 9), (40, 16), (17, 16)])
def test_weights_are_highest_in_the_middle_and_never_zero(window, patch):
    weights = profile(window, patch)
    assert weights.shape == (window,)
    assert weights.min() > 0
    assert weights.max() == 1
    np.testing.assert_allclose(weights, weights[::-1], rtol=1e-6)
    assert (np.diff(weights[: window // 2]) >= 0).all()


def test_a_window_of_patch_size_has_the_gaussian_of_an_eighth():
    distance = (np.arange(48) - 23.5) / 6
    gaussian = np.exp(-0.5 * distance**2)
    np.testing.assert_allclose(profile(48, 48), np.maximum(gaussian / gaussian.max(), 1e-3), rtol=1e-5)


@given(
    st.tuples(*[st.integers(1, 500)] * 3),
    st.sampled_from([(48, 48, 48), (32, 96, 64), (8, 8, 8)]),
    st.sampled_from([0.0, 0.125, 0.5]),
    st.floats(1e4, 1e9),
)
@settings(max_examples=60, deadline=None)
def test_large_windows_fit_the_memory_and_never_cost_more_than_patches(shape, patch, overlap, most_bytes):
    tiles = large_windows(shape, patch, overlap, (8, 8, 8), 1, 40, most_bytes)
    patches = tiling(shape, patch, patch, overlap)
    assert all(window >= size for window, size in zip(tiles.window_zyx, patch, strict=True))
    if tiles.window_zyx != patch:
        assert math.prod(tiles.window_zyx) * 40 <= most_bytes
        assert all(window % 8 == 0 for window in tiles.window_zyx)
        assert tiles.computed_voxels <= patches.computed_voxels


def test_a_scan_that_fits_is_one_window():
    tiles = large_windows((100, 151, 129), (48, 48, 48), 0.5, (8, 8, 8), 1, 40, 1e12)
    assert (tiles.n_windows, tiles.window_zyx) == (1, (104, 152, 136))
