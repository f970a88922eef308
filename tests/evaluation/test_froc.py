import numpy as np
import pandas as pd
import pytest

from ctseg.evaluation.froc import THRESHOLDS, lesion_counts
from ctseg.evaluation.summary import froc_curve
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.postprocessing import PostprocessSettings

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((20, 20, 40), (1.0, 1.0, 1.0), (0, 0, 0), IDENTITY)
KEEP_ALL = PostprocessSettings(0, False, False)


def volume(**boxes):
    """A uint8 volume with cubes of 4 voxels at the given places along x."""
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for place, value in boxes.items():
        voxels[8:12, 8:12, int(place[1:]) : int(place[1:]) + 4] = value
    return Volume(voxels, GRID)


def counted(reference, probability, settings=KEEP_ALL, n_classes=1, low_threshold=None):
    low_threshold = low_threshold or probability.with_voxels((probability.voxels_zyx > 0).astype(np.uint8))
    return pd.DataFrame(lesion_counts(reference, low_threshold, probability, settings, None, 0.1, n_classes))


def test_a_higher_threshold_finds_fewer_lesions_and_fewer_false_ones():
    found = counted(volume(x2=1, x12=1), volume(x2=250, x12=120, x22=180, x32=30)).set_index("threshold")
    assert found.index.tolist() == list(THRESHOLDS)
    assert found["found_lesions"].is_monotonic_decreasing
    assert found.loc[0.1, ["found_lesions", "false_lesions"]].tolist() == [2, 2]
    assert found.loc[0.5, ["found_lesions", "false_lesions"]].tolist() == [1, 1]
    assert found.loc[0.99, ["found_lesions", "false_lesions"]].tolist() == [0, 0]
    assert (found["reference_lesions"] == 2).all()


def test_what_the_study_removes_is_no_false_lesion():
    found = counted(volume(x2=1), volume(x2=250, x22=250), PostprocessSettings(65, False, False))
    assert not found["false_lesions"].any()
    assert not found["found_lesions"].any()


def test_each_class_has_its_own_curve():
    both, probability = volume(x2=1, x12=2), volume(x2=250, x12=120)
    found = counted(both, probability, n_classes=2, low_threshold=both).set_index(["label", "threshold"])
    assert found.loc[(1, 0.9), "found_lesions"] == 1
    assert found.loc[(2, 0.9), "found_lesions"] == 0
    assert found.loc[(2, 0.3), "found_lesions"] == 1


def test_the_curve_pools_lesions_and_averages_false_ones_over_all_scans():
    rows = [("a", 4, 2, 3), ("b", 0, 0, 1)]
    counts = pd.DataFrame(
        [
            dict(zip(("case", "reference_lesions", "found_lesions", "false_lesions"), row, strict=True))
            | {"split": "test", "label": "nodule", "threshold": 0.5}
            for row in rows
        ]
    )
    (found,) = froc_curve(counts).itertuples()
    assert (found.scans, found.sensitivity, found.false_lesions_per_scan) == (2, pytest.approx(0.5), pytest.approx(2.0))
