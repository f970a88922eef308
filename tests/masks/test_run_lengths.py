from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctseg.geometry.resample import bounding_box
from ctseg.masks.components import label_components
from ctseg.masks.run_lengths import component_sizes, fill, find_runs, number_components, read_runs, split_runs

thick = st.tuples(*[st.integers(1, 6)] * 3)
thin = st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 12)).flatmap(st.permutations).map(tuple)
shapes = thick | thin
segmentations = st.sampled_from([(0, 1), (0, 0, 0, 0, 1), (0, 1, 1, 1), (0, 0, 1, 2), (0, 1, 2, 255)]).flatmap(
    lambda values: arrays(np.uint8, shapes, elements=st.sampled_from(values))
)
EMPTY, FULL = np.zeros((3, 4, 5), np.uint8), np.ones((3, 4, 5), np.uint8)
APART = np.zeros((5, 5, 5), np.uint8)
APART[::2, ::2, ::2] = 1
BORDERS = np.zeros((3, 4, 5), np.uint8)  # neighbours in memory across row and slice ends, which do not touch
BORDERS[0, 0, 4] = BORDERS[0, 1, 0] = BORDERS[0, 3, 2] = BORDERS[1, 0, 2] = 1


def numbered(runs, components):
    """Component number of each voxel [z, y, x], from 1; 0 for the background."""
    numbers = np.zeros(runs.shape_zyx, int)
    for number, piece in enumerate(split_runs(runs, components), start=1):
        numbers[fill(piece) > 0] = number
    return numbers


@given(segmentations)
@example(EMPTY)
@example(FULL)
@settings(max_examples=100, deadline=None)
def test_runs_give_the_voxels_back(voxels):
    runs = find_runs(voxels)
    np.testing.assert_array_equal(fill(runs), voxels)
    assert fill(runs).dtype == voxels.dtype
    assert runs.length.sum() == np.count_nonzero(voxels)


@given(segmentations)
@example(FULL)
@settings(max_examples=60, deadline=None)
def test_runs_are_in_order_and_as_long_as_they_can_be(voxels):
    runs = find_runs(voxels)
    before = np.pad(voxels, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
    firsts = np.argwhere((voxels > 0) & (voxels != before))
    found = np.column_stack([*np.divmod(runs.row, voxels.shape[1]), runs.start])
    np.testing.assert_array_equal(found, firsts)
    np.testing.assert_array_equal(runs.value, voxels[tuple(firsts.T)])


@pytest.mark.parametrize("chunk", [1, 3, 2**15])
@given(voxels=segmentations)
@example(voxels=EMPTY)
@example(voxels=FULL)
@example(voxels=APART)
@example(voxels=BORDERS)
@settings(max_examples=100, deadline=None)
def test_components_are_those_of_cc3d(chunk, voxels):
    runs = find_runs(voxels)
    with patch("ctseg.masks.run_lengths.CHUNK_RUNS", chunk):
        numbers = numbered(runs, number_components(runs))
    np.testing.assert_array_equal(numbers > 0, voxels > 0)
    for value in np.unique(voxels[voxels > 0]):
        expected = label_components(voxels == value)
        pairs = {*zip(expected[voxels == value].tolist(), numbers[voxels == value].tolist(), strict=True)}
        assert len(pairs) == expected.max() == len({number for _, number in pairs})


@pytest.mark.parametrize("chunk", [2, 2**15])
@given(voxels=segmentations)
@settings(max_examples=60, deadline=None)
def test_components_are_numbered_in_the_order_of_their_first_voxels(chunk, voxels):
    runs = find_runs(voxels)
    with patch("ctseg.masks.run_lengths.CHUNK_RUNS", chunk):
        components = number_components(runs)
    assert components.dtype == np.int32
    found, firsts = np.unique(components, return_index=True)
    np.testing.assert_array_equal(found, np.arange(found.size))
    assert (np.diff(firsts) > 0).all()


@given(segmentations)
@settings(max_examples=40, deadline=None)
def test_sizes_and_pieces_are_those_of_the_components(voxels):
    runs = find_runs(voxels)
    components = number_components(runs)
    sizes = component_sizes(runs, components)
    assert [piece.length.sum() for piece in split_runs(runs, components)] == sizes.tolist()
    np.testing.assert_array_equal(sizes, np.bincount(numbered(runs, components).ravel())[1:])


@pytest.mark.parametrize("slab", [1, 50, 2**18])
@given(voxels=segmentations, data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_lies_in_the_runs_is_read_in_their_order(slab, voxels, data):
    image = data.draw(arrays(np.int16, voxels.shape))
    with patch("ctseg.masks.run_lengths.SLAB_VOXELS", slab):
        runs = find_runs(voxels)
        read = list(read_runs(runs, image))
        np.testing.assert_array_equal(fill(runs), voxels)
    assert [part.start for part, *_ in read] == [0, *(part.stop for part, *_ in read)][: len(read)]
    values = [values for _, values, _ in read]
    np.testing.assert_array_equal(np.concatenate([np.empty(0, np.int16), *values]), image[voxels > 0])
    for part, values, begins in read:
        np.testing.assert_array_equal(np.diff(begins, append=values.size), runs.length[part])


@given(segmentations, st.permutations(range(3)), st.sets(st.integers(0, 2)))
@settings(max_examples=40, deadline=None)
def test_the_order_in_memory_does_not_matter(voxels, order, flips):
    view = np.flip(voxels.transpose(order), tuple(flips))
    runs, same = find_runs(view), find_runs(view.copy())
    for name in ("row", "start", "stop", "value"):
        np.testing.assert_array_equal(getattr(runs, name), getattr(same, name))
    assert [values.tolist() for _, values, _ in read_runs(runs, view)] == [view[view > 0].tolist()] * bool(view.any())


def test_voxels_may_be_mapped_from_a_file(tmp_path):
    np.save(tmp_path / "voxels.npy", APART)
    mapped = np.load(tmp_path / "voxels.npy", mmap_mode="r")
    runs = find_runs(mapped)
    np.testing.assert_array_equal(fill(runs), APART)
    ((_, values, _),) = read_runs(runs, mapped)
    assert values.tolist() == [1] * 27


@given(segmentations.filter(np.any))
@settings(max_examples=40, deadline=None)
def test_the_box_holds_all_runs_and_no_less(voxels):
    runs = find_runs(voxels)
    assert runs.box == bounding_box(voxels > 0)
    np.testing.assert_array_equal(fill(runs.cropped(runs.box)), voxels[runs.box])


def test_a_mask_has_the_runs_of_class_1():
    runs = find_runs(APART > 0)
    np.testing.assert_array_equal(fill(runs), APART)


def test_an_array_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        list(read_runs(find_runs(FULL), FULL.transpose(1, 0, 2)))
