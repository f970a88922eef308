"""Label maps from probability maps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctseg.masks.label_map import label_map


def test_the_most_probable_class_wins_where_it_reaches_the_threshold():
    probabilities = np.array([[0.2, 0.6, 0.6, 0.5], [0.3, 0.4, 0.7, 0.1]], np.float32).reshape(2, 1, 1, 4)
    assert label_map(probabilities, 0.5).ravel().tolist() == [0, 1, 2, 1]


@given(st.integers(1, 4), st.floats(0.05, 0.95), st.integers(0, 2**16))
def test_each_voxel_has_a_class_that_is_most_probable_or_none(n_classes, threshold, seed):
    probabilities = np.random.default_rng(seed).random((n_classes, 3, 4, 5), np.float32)
    labels = label_map(probabilities, threshold)
    assert (labels.dtype, labels.shape) == (np.uint8, (3, 4, 5))
    highest = probabilities.max(axis=0)
    np.testing.assert_array_equal(labels > 0, highest >= threshold)
    own = np.take_along_axis(probabilities, np.maximum(labels, 1)[None].astype(int) - 1, axis=0)[0]
    np.testing.assert_array_equal(own[labels > 0], highest[labels > 0])


def test_the_first_of_two_equal_classes_is_taken():
    assert label_map(np.full((3, 1, 1, 1), 0.5, np.float32), 0.5).item() == 1


def test_a_class_alone_is_a_mask():
    probabilities = np.array([0.49, 0.5, 1, 0], np.float32).reshape(1, 1, 1, 4)
    assert label_map(probabilities, 0.5).ravel().tolist() == [0, 1, 1, 0]
