import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.components import label_components
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.preprocessing.foreground import write_foreground
from ctseg.scans.nifti import write_nifti
from ctseg.training.prepared_cases import read_cases

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


def test_training_reads_what_preparing_wrote(tmp_path):
    label = np.zeros((5, 6, 7), np.uint8)
    label[1, 1:3, 1:4], label[4, 5, 6], label[0, 0, 6] = 1, 1, 2
    grid = Grid(label.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    for name in ("image", "label"):
        write_nifti(Volume(label, grid), tmp_path / "a" / f"{name}.nii")
    written = find_foreground(label, 3, 100, seed=1)
    write_foreground(written, tmp_path / "a" / "foreground.npz")
    (case,) = read_cases(tmp_path, ["a"])
    assert [one.voxels.tolist() for one in case.foreground] == [[6, 1], [1], []]
    for one, other in zip(case.foreground, written, strict=True):
        for name, array in vars(other).items():
            np.testing.assert_array_equal(getattr(one, name), array)
