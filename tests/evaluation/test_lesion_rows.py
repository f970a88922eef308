import tracemalloc

import numpy as np
import pytest

from ctseg.evaluation.lesion_detection import lesion_metrics
from ctseg.evaluation.lesion_rows import LESION_COLUMNS, lesion_rows
from ctseg.geometry.volume import Grid, Volume

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((20, 20, 40), (0.5, 1.0, 2.0), (10.0, 0.0, -5.0), IDENTITY)  # spacing x, y, z
PARAMS = {"case": "a", "split": "test", "fold": "", "labels": ["nodule"], "lesion_iou": 0.1}


def volume(*boxes, value=1):
    """A label map with boxes (start, stop) along x, 3 voxels along the other axes."""
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for start, stop in boxes:
        voxels[5:8, 5:8, start:stop] = value
    return Volume(voxels, GRID)


IMAGE = Volume(np.zeros(GRID.shape_zyx, np.int16), GRID)


def rows(label, segmentation, **changes):
    return list(lesion_rows(label, segmentation, IMAGE, PARAMS | changes))


def test_found_missed_and_false_lesions_are_measured_where_they_lie():
    found = rows(volume((0, 4), (10, 18)), volume((0, 3), (30, 32)))
    assert [row["state"] for row in found] == ["missed", "found", "false"]
    assert [row["lesion"] for row in found] == [1, 2, 3]
    missed, hit, false = found
    assert missed["volume_cm3"] == pytest.approx(8 * 9 * 1e-3)
    assert missed["diameter_mm"] == pytest.approx(np.sqrt(3.5**2 + 2**2 + 4**2) + 0.5)
    assert (missed["x_mm"], missed["y_mm"], missed["z_mm"]) == pytest.approx((10 + 13.5 / 2, 6, -5 + 12))
    assert (missed["dice"], false["dice"]) == (0, None)
    assert hit["dice"] == pytest.approx(6 / 7)
    assert false["volume_cm3"] == pytest.approx(2 * 9 * 1e-3)
    assert set(found[0]) == set(LESION_COLUMNS)


def test_a_class_is_judged_by_itself():
    found = rows(volume((0, 4), value=2), volume((0, 4)), labels=["nodule", "node"])
    assert [(row["label"], row["state"]) for row in found] == [("nodule", "false"), ("node", "missed")]
    assert rows(volume(), volume()) == []


def test_small_lesions_in_a_large_scan_take_little_memory():
    grid = Grid((200, 200, 200), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, GRID.direction)
    label, found = (Volume(np.zeros(grid.shape_zyx, np.uint8), grid) for _ in range(2))
    label.voxels_zyx[50:60, 50:60, 50:60] = found.voxels_zyx[55:65, 50:60, 50:60] = 1
    image = Volume(np.zeros(grid.shape_zyx, np.int16), grid)
    tracemalloc.start()
    (row,) = lesion_rows(label, found, image, PARAMS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row["state"] == "found"
    assert peak < 4 * label.voxels_zyx.size


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_the_metrics(seed):
    rng = np.random.default_rng(seed)
    label, found = (Volume((rng.random(GRID.shape_zyx) > 0.97).astype(np.uint8), GRID) for _ in range(2))
    states = [row["state"] for row in rows(label, found)]
    metrics = lesion_metrics(label.voxels_zyx > 0, found.voxels_zyx > 0, 0.1)
    assert states.count("found") == metrics["found_lesions"]
    assert states.count("false") == metrics["false_lesions"]
    assert len(states) - states.count("false") == metrics["reference_lesions"]
