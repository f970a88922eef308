"""Windows on a device are merged as on a CPU, with smaller batches if the memory is not enough."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.inference.gpu_windows import DeviceWindows, mirrored
from ctseg.inference.sliding_window import large_windows, slabs, tiling

CPU = torch.device("cpu")


@given(
    shape=st.tuples(*[st.integers(3, 30)] * 3),
    window=st.tuples(*[st.sampled_from([4, 8, 12])] * 3),
    batch_size=st.integers(1, 7),
    large=st.booleans(),
)
def test_windows_are_merged_as_on_a_processor(shape, window, batch_size, large):
    rng = np.random.default_rng(1)
    image = rng.integers(-1000, 400, shape).astype(np.int16)
    image[:, : shape[1] // 2] = -1000  # air, which is skipped
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


def test_nothing_but_the_choice_of_windows_waits_for_the_device():
    meta = torch.device("meta")
    tiles = tiling((20, 20, 20), (8, 8, 8), (8, 8, 8), 0.5)
    windows = DeviceWindows(tiles, lambda hu: hu, 1, 4, meta)

    def rows(first, stop):
        return torch.empty(stop - first, 20, 20, dtype=torch.int16, device=meta)

    # On the device meta, any operation that needs a value on the CPU raises an error.
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


def test_mirror_images_are_averaged():
    corner = torch.zeros(1, 1, 4, 4, 4)
    corner[..., 0, 0, 0] = 1
    found = mirrored(lambda hu: corner, "zx")(corner)[0, 0]
    assert found[[0, 0, -1, -1], 0, [0, -1, 0, -1]].tolist() == [0.25] * 4
