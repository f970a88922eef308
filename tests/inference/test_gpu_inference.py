"""Inference for GPUs from scan to labels, run on a CPU and compared with the inference for CPUs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from ball_model import CARD
from ctseg.errors import InputError
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.gpu_grid import NativeRows
from ctseg.inference.gpu_inference import DeviceSettings, MapsWanted, infer_on_device
from ctseg.inference.model_card import InferSettings
from ctseg.inference.predict import infer, windows_for
from ctseg.inference.sliding_window import tiling
from ctseg.inference.torch_engine import TorchEngine
from ctseg.preprocessing.preparation import network_input
from grids import turned

CPU = torch.device("cpu")
NAMES = ("labels", "low_threshold", "probability", "entropy")


@pytest.fixture(scope="module")
def engine(model_folder):
    return TorchEngine(model_folder / "model.ts", 2, device="cpu")


def stored_scan(scan, kind):
    """The scan stored in another way: with permuted and flipped axes, oblique, with finer spacing, or longer."""
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


@pytest.mark.parametrize(
    "kind", ["plain", "turned", "oblique", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("finer", "long"))]
)
@pytest.mark.parametrize("settings", [InferSettings("patch", 0.5), InferSettings("large", 0.25, mirror_axes="zx")])
def test_a_scan_gets_the_labels_that_it_gets_on_a_processor(engine, scan, kind, settings):
    image = stored_scan(scan, kind)
    expected = infer(image, None, engine, settings, probability=True, entropy=True)
    part, grid = network_input(image, None, CARD.preparation)
    tiles = windows_for(grid.shape_zyx, CARD, settings, 1.5)
    wanted = MapsWanted(CARD.threshold, probability=True, entropy=True)
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


def test_a_view_of_the_labels_in_the_order_of_the_network_is_written_to(scan):
    labels = np.zeros(scan[0].voxels_zyx.shape, np.uint8)
    orient(Volume(labels, scan[0].grid)).voxels_zyx[...] = 1
    assert labels.all()
