"""Segmentation of one scan on its own grid."""

from dataclasses import replace

import numpy as np
import pytest

from ball_model import CARD
from ball_results import dice, labels
from ctseg.inference.engines import load_engine
from ctseg.inference.model_card import REFERENCE, InferSettings
from ctseg.inference.predict import infer, predict, windows_for


def test_memory_for_windows_does_not_change_the_labels_much(model_folder, scan):
    engine = load_engine(model_folder / "model.onnx", 2)
    whole = labels(engine, scan)
    cut = labels(engine, scan, memory_gib=0.002)
    assert dice(whole, cut) > 0.98


def test_uncertainty_lies_at_the_borders(model_folder, scan):
    maps = infer(scan[0], None, load_engine(model_folder / "model.onnx", 2), entropy=True)
    found = maps.labels.voxels_zyx > 0
    inner = found & np.roll(found, 2, 0) & np.roll(found, -2, 0) & np.roll(found, 2, 1) & np.roll(found, -2, 2)
    entropy = maps.entropy.voxels_zyx
    assert entropy[inner].mean() < entropy[found & ~inner].mean()


def test_a_prediction_is_on_the_scans_grid_with_its_components(model_folder, scan):
    image, mask = scan
    told = []
    found = predict(
        image, load_engine(model_folder / "model.onnx", 2), entropy=True, progress=lambda *at: told.append(at)
    )
    assert found.segmentation.grid == found.entropy.grid == image.grid
    assert dice(found.segmentation.voxels_zyx > 0, mask) > 0.9
    assert sum(row["voxels"] for row in found.components) == np.count_nonzero(found.segmentation.voxels_zyx)
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)


def test_windows_of_patch_size_need_no_memory_and_large_ones_stay_within_it():
    patch = windows_for((40, 40, 40), CARD, InferSettings("patch", 0.5), 0.0)
    assert patch.window_zyx == CARD.patch_zyx
    large, small = (windows_for((40, 40, 40), CARD, InferSettings("large", 0.5), gib) for gib in (8.0, 0.002))
    assert np.prod(large.window_zyx) > np.prod(small.window_zyx)
    assert all(size % 4 == 0 for size in (*large.window_zyx, *small.window_zyx))


def test_the_threshold_that_is_given_comes_before_the_models(model_folder, scan):
    engine = load_engine(model_folder / "model.onnx", 2)
    low, own, high = (labels(engine, scan, threshold=threshold) for threshold in (0.1, None, 0.9))
    assert not (high & ~own).any()
    assert not (own & ~low).any()
    assert high.sum() < own.sum() < low.sum()


class Dark:
    """Engine that finds gas and counts its windows."""

    on_gpu, windows = False, 0

    def __init__(self, window_hu):
        self.card = replace(CARD, labels=("gas",), preparation=replace(CARD.preparation, window_hu=window_hu))

    def __call__(self, hu):
        self.windows += len(hu)
        return (hu < -880).astype(np.float32)


@pytest.mark.parametrize("window_hu", [(-1075.0, -842.0), (-1000.0, -500.0), (-1000.0, 400.0)])
def test_a_target_filled_with_gas_is_found_in_any_hu_window(scan, window_hu):
    """A window of HU that ends below soft tissue leaves nothing that is denser than air."""
    image = scan[0].with_voxels(np.full(scan[0].grid.shape_zyx, 40, np.int16))
    image.voxels_zyx[10:20, 10:20, 10:20] = -960
    engine = Dark(window_hu)
    assert (infer(image, None, engine, REFERENCE, threshold=0.5).labels.voxels_zyx > 0)[14, 14, 14]
    assert engine.windows
