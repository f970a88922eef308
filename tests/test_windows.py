import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.windows import gaussian_weights, sliding_window, window_starts


@given(st.integers(1, 300), st.integers(1, 100), st.floats(0, 0.9))
def test_windows_cover_every_voxel_and_overlap_enough(size, window, overlap):
    starts = window_starts(size, window, overlap)
    covered = np.zeros(max(size, window), bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered[:size].all()
    assert starts[0] == 0
    if size > window:
        assert starts[-1] == size - window
        assert np.diff(starts).max() <= max(1, int(window * (1 - overlap))) + 1


@pytest.mark.parametrize("shape", [(20, 30, 25), (7, 30, 9), (3, 3, 3)])
def test_a_pointwise_network_gives_the_same_as_applied_to_the_whole(shape):
    image = np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)

    def network(patches):
        return np.concatenate([patches / 1000, 1 - patches / 1000], axis=1)

    result = sliding_window(image, network, 2, (8, 8, 8), 0.5, 3, fill=-1000)
    assert result.shape == (2, *shape)
    np.testing.assert_allclose(result[0], image / 1000, atol=1e-5)
    np.testing.assert_allclose(result[1], 1 - image / 1000, atol=1e-5)


def test_padding_is_filled_with_air():
    seen = []

    def network(patches):
        seen.append(patches)
        return patches

    sliding_window(np.zeros((2, 2, 2), np.int16), network, 1, (4, 4, 4), 0.5, 1, fill=-1000)
    (patches,) = seen
    assert (patches[0, 0, :2, :2, :2] == 0).all()
    assert (patches == -1000).sum() == 64 - 8


def test_weights_are_highest_in_the_middle_and_never_zero():
    weights = gaussian_weights((8, 16, 9))
    assert weights.shape == (8, 16, 9)
    assert weights.min() > 0
    assert weights.max() == 1
    np.testing.assert_allclose(weights, weights[::-1, ::-1, ::-1], rtol=1e-6)
