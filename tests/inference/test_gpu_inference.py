"""What stays on the GPU from scan to labels, on a processor beside the way that processors take."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ball_model import CARD
from ctseg.errors import InputError
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.gpu_grid import NativeRows, Neighbours, RowsOnDevice, interpolated, parallel_places, reached_box
from ctseg.inference.gpu_inference import DeviceSettings, MapsWanted, infer_on_device
from ctseg.inference.gpu_windows import DeviceWindows, mirrored
from ctseg.inference.model_card import InferSettings
from ctseg.inference.native_grid import to_native_grid
from ctseg.inference.predict import infer, windows_for
from ctseg.inference.sliding_window import large_windows, slabs, tiling
from ctseg.inference.torch_engine import TorchEngine
from ctseg.preprocessing.preparation import network_input, prepare_rows
from grids import turned

CPU = torch.device("cpu")
NAMES = ("labels", "candidates", "certainty", "entropy")


@pytest.fixture(scope="module")
def engine(model_folder):
    return TorchEngine(model_folder / "model.ts", 2, device="cpu")


def stored_scan(scan, kind):
    """The scan as another machine might have stored it: with its axes in another order, flipped, oblique, finer."""
    image = scan[0]
    if kind == "turned":
        return turned(image, (2, 0, 1), (True, False, True))
    affine, voxels = image.grid.affine.copy(), image.voxels_zyx
    if kind == "oblique":
        affine[:3, :3] = Rotation.from_euler("xyz", [5, -12, 20], degrees=True).as_matrix() @ affine[:3, :3]
    if kind == "finer":
        affine = affine @ np.diag([0.7, 0.7, 1.1, 1])
    if kind == "long":
        voxels = np.concatenate([voxels, voxels[::-1]])
    return Volume(voxels, Grid.from_affine(affine, voxels.shape))


@pytest.mark.parametrize("kind", ["plain", "turned", "oblique", "finer", "long"])
@pytest.mark.parametrize("settings", [InferSettings("patch", 0.5), InferSettings("large", 0.25, mirror_axes="zx")])
def test_a_scan_gets_the_labels_that_it_gets_on_a_processor(engine, scan, kind, settings):
    image = stored_scan(scan, kind)
    expected = infer(image, None, engine, settings, certainty=True, entropy=True)
    part, grid = network_input(image, None, CARD.preparation)
    tiles = windows_for(grid.shape_zyx, CARD, settings, 1.5)
    wanted = MapsWanted(CARD.threshold, certainty=True, entropy=True)
    for memory_gib, batch_size in ((8.0, 5), (0.001, None)):
        found = infer_on_device(
            image, part, grid, tiles, engine, settings.mirror_axes, wanted, DeviceSettings(memory_gib, batch_size)
        )
        assert found.labels.grid == image.grid
        for name in NAMES:
            one, other = getattr(expected, name).voxels_zyx, getattr(found, name).voxels_zyx
            assert np.count_nonzero(np.abs(one.astype(int) - other) > 1) <= 1e-4 * one.size, name
        both = [maps.labels.voxels_zyx > 0 for maps in (expected, found)]
        assert 2 * np.count_nonzero(both[0] & both[1]) >= 0.9999 * (both[0].sum() + both[1].sum()) > 0


def test_an_engine_on_a_gpu_takes_this_way(engine, scan, monkeypatch):
    monkeypatch.setattr(engine, "on_gpu", True)
    told = []
    found = infer(scan[0], None, engine, progress=lambda done, rows: told.append((done, rows)))
    monkeypatch.undo()
    expected = infer(scan[0], None, engine)
    assert np.count_nonzero(found.labels.voxels_zyx != expected.labels.voxels_zyx) <= 1
    assert told[-1][0] == told[-1][1] == 40


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
        assert np.abs(difference).max() <= 1  # a half may be rounded either way
        assert np.count_nonzero(difference) <= max(8, 0.05 * difference.size)


@given(
    shape=st.tuples(*[st.integers(3, 30)] * 3),
    window=st.tuples(*[st.sampled_from([4, 8, 12])] * 3),
    batch_size=st.integers(1, 7),
    large=st.booleans(),
)
def test_windows_are_merged_as_on_a_processor(shape, window, batch_size, large):
    rng = np.random.default_rng(1)
    image = rng.integers(-1000, 400, shape).astype(np.int16)
    image[:, : shape[1] // 2] = -1000  # air, which is passed over
    tiles = tiling(shape, window, window, 0.5)
    if large:
        tiles = large_windows(shape, window, 0.25, (4, 4, 4), 2, 100.0, 1e6)

    def network(hu):
        return np.concatenate([hu * 0.001, np.abs(hu) * 0.002], axis=1)

    def on_device(hu):
        assert len(hu) <= batch_size
        return torch.from_numpy(network(hu.numpy()))

    expected = [
        (first, slab.copy()) for first, slab in slabs(lambda a, b: image[a:b], tiles, network, 2, 1, -500, -1000)
    ]
    windows = DeviceWindows(tiles, on_device, 2, batch_size, CPU)
    found = [
        (first, slab.numpy().copy())
        for first, slab in windows.slabs(lambda a, b: torch.from_numpy(image[a:b]), -500, -1000)
    ]
    assert [first for first, _ in found] == [first for first, _ in expected]
    for (_, one), (_, other) in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


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


def test_nothing_but_the_choice_of_windows_waits_for_the_device(engine):
    meta = torch.device("meta")
    tiles = tiling((20, 20, 20), (8, 8, 8), (8, 8, 8), 0.5)
    windows = DeviceWindows(tiles, lambda hu: hu, 1, 4, meta)

    def rows(first, stop):
        return torch.empty(stop - first, 20, 20, dtype=torch.int16, device=meta)

    # On meta any operation that needs a value on the processor raises an error.
    assert [first for first, _ in windows.slabs(rows, -np.inf, 0)] == tiles.starts_zyx[0]
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        list(windows.slabs(rows, -500, 0))


def test_fewer_windows_are_taken_where_the_memory_runs_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    tiles = tiling((8, 16, 16), (8, 8, 8), (8, 8, 8), 0.5)
    sizes = []

    def small(hu, most=2):
        sizes.append(len(hu))
        if len(hu) > most:
            raise torch.OutOfMemoryError
        return hu * 0 + 1

    windows = DeviceWindows(tiles, small, 1, 8, CPU)
    rows = torch.zeros(8, 16, 16, dtype=torch.int16)
    _, slab = next(windows.slabs(lambda a, b: rows[a:b], -500, 0))
    torch.testing.assert_close(slab, torch.ones_like(slab))
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[3:]) == 2
    none_fits = DeviceWindows(tiles, lambda hu: small(hu, 0), 1, 2, CPU)
    with pytest.raises(InputError, match="gpu_memory_gib"):
        list(none_fits.slabs(lambda a, b: rows[a:b], -500, 0))


def test_memory_that_runs_out_beside_the_network_is_told_in_words(engine, scan, monkeypatch):
    def exhausted(*arguments):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(NativeRows, "__call__", exhausted)
    monkeypatch.setattr(engine, "on_gpu", True)
    with pytest.raises(InputError, match="too little free memory"):
        infer(scan[0], None, engine)


def test_memory_bounds_the_windows_at_once():
    tiles = tiling((64, 64, 64), (16, 16, 16), (16, 16, 16), 0.5)
    card = replace(CARD, window_bytes=1000.0)
    assert DeviceSettings(8.0).windows_at_once(card, tiles, CPU) == 16
    assert DeviceSettings(0.04).windows_at_once(card, tiles, CPU) == 5
    assert DeviceSettings(1e-6).windows_at_once(card, tiles, CPU) == 1
    assert DeviceSettings(8.0, 3).windows_at_once(card, tiles, CPU) == 3
    assert DeviceSettings().memory_on(CPU) == 8.0


def test_mirror_images_are_averaged():
    corner = torch.zeros(1, 1, 4, 4, 4)
    corner[..., 0, 0, 0] = 1
    found = mirrored(lambda hu: corner, "zx")(corner)[0, 0]
    assert found[[0, 0, -1, -1], 0, [0, -1, 0, -1]].tolist() == [0.25] * 4


def test_outside_of_a_volume_lies_the_filling():
    neighbours = Neighbours.of(np.array([-0.6, -0.4, 0.5, 1.4, 1.6]), 2, CPU)
    values = interpolated(torch.tensor([10, 20], dtype=torch.int16), 0, neighbours, fill=-7)
    assert values.tolist() == [-7, 10, 15, 20, -7]


def test_a_view_of_the_labels_in_the_order_of_the_network_is_written_to(scan):
    labels = np.zeros(scan[0].voxels_zyx.shape, np.uint8)
    orient(Volume(labels, scan[0].grid)).voxels_zyx[...] = 1
    assert labels.all()
