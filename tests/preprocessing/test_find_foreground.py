"""Voxel lists of the foreground contain every component."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctseg.masks.components import label_components
from ctseg.preprocessing.find_foreground import find_foreground

labels = arrays(np.uint8, (6, 7, 8), elements=st.sampled_from([0, 0, 0, 0, 1, 2]))


@settings(max_examples=50, deadline=None)
@given(label=labels, most=st.integers(1, 60))
def test_every_component_is_listed_with_its_volume(label, most):
    for value, found in enumerate(find_foreground(label, 3, most, seed=1), start=1):
        components = label_components(label == value).ravel()
        numbers = components[found.indices]
        assert (numbers > 0).all()
        assert np.unique(found.indices).size == found.indices.size
        np.testing.assert_array_equal(np.bincount(numbers)[1:], found.listed)
        np.testing.assert_array_equal(np.bincount(components)[1:], found.voxels)
        assert (found.listed <= max(1, most // max(1, found.voxels.size))).all()


@settings(max_examples=50, deadline=None)
@given(label=labels)
def test_where_all_fit_all_are_listed(label):
    for value, found in enumerate(find_foreground(label, 2, label.size**2, seed=1), start=1):
        np.testing.assert_array_equal(np.sort(found.indices), np.flatnonzero(label == value))


def test_the_same_seed_lists_the_same_voxels():
    label = np.ones((10, 10, 10), np.uint8)
    first, again, other = (find_foreground(label, 1, 100, seed)[0].indices for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
