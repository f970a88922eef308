"""Resampling of rows and of probabilities on a device equals that on a CPU."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.gpu_grid import NativeRows, Neighbours, RowsOnDevice, interpolated, parallel_places, reached_box
from ctseg.inference.native_grid import to_native_grid
from ctseg.preprocessing.preparation import prepare_rows

CPU = torch.device("cpu")


@given(
    shape=st.tuples(*[st.integers(3, 20)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 1.7, 3.0])] * 3),
    wanted=st.tuples(*[st.sampled_from([0.7, 1.0, 2.0, 2.3])] * 3),
    rows=st.integers(1, 7),
    scarce=st.booleans(),
)
def test_rows_are_resampled_as_on_a_processor(shape, spacing, wanted, rows, scarce):
    rng = np.random.default_rng(0)
    grid = Grid(shape, spacing, (1.0, 2.0, 3.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    part = Volume(rng.integers(-1000, 2000, shape).astype(np.int16), grid)
    to = grid.with_spacing(wanted)
    read = RowsOnDevice(part, to, (-900.0, 400.0), CPU, 1 if scarce else 1e9)
    for first in range(0, to.shape_zyx[0], rows):
        stop = min(first + rows, to.shape_zyx[0])
        difference = read(first, stop).numpy().astype(int) - prepare_rows(part, to, first, stop, (-900.0, 400.0))
        assert np.abs(difference).max() <= 1  # values of x.5 may be rounded up or down
        assert np.count_nonzero(difference) <= max(8, 0.05 * difference.size)


@given(
    shape=st.tuples(*[st.integers(2, 9)] * 3),
    to=st.tuples(*[st.integers(2, 14)] * 3),
    cuts=st.lists(st.integers(1, 8), max_size=3),
    rows_at_once=st.integers(1, 5),
)
def test_probabilities_come_back_as_on_a_processor(shape, to, cuts, rows_at_once):
    rng = np.random.default_rng(2)
    probabilities = rng.random((1, *shape)).astype(np.float32)
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    grid = Grid(shape, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), axes)
    target = Grid(to, (1.3, 1.3, 1.3), (-1.5, 0.2, 0.1), axes)
    edges = sorted({0, *(cut for cut in cuts if cut < shape[0]), shape[0]})
    pieces = [(a, probabilities[:, a:b]) for a, b in pairwise(edges)]
    expected = to_native_grid(pieces, grid, target, 0.5).labels.voxels_zyx
    places = parallel_places(target, grid)
    box = reached_box(places, shape)
    native = NativeRows(tuple(p[along] for p, along in zip(places, box, strict=True)), shape, CPU)
    found = np.zeros(to, np.uint8)
    plane_bytes = 24 * found[box].shape[1] * found[box].shape[2]
    for first, piece in pieces:
        for row, block in native(first, torch.from_numpy(piece), rows_at_once * max(1, plane_bytes)):
            assert block.shape[1] <= rows_at_once
            found[box][row : row + block.shape[1]] = block[0].numpy() >= 0.5
    assert np.count_nonzero(found != expected) <= 1


def test_outside_of_a_volume_lies_the_filling():
    neighbours = Neighbours.of(np.array([-0.6, -0.4, 0.5, 1.4, 1.6]), 2, CPU)
    values = interpolated(torch.tensor([10, 20], dtype=torch.int16), 0, neighbours, fill=-7)
    assert values.tolist() == [-7, 10, 15, 20, -7]
