import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from ctseg.evaluation.froc import THRESHOLDS, lesion_counts, scored_components
from ctseg.evaluation.lesion_detection import lesion_metrics
from ctseg.evaluation.summary import froc_curve
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.postprocessing import PostprocessSettings, postprocess

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((20, 20, 40), (1.0, 1.0, 1.0), (0, 0, 0), IDENTITY)
KEEP_ALL = PostprocessSettings(0, False, False)


def volume(**boxes):
    """Volume, uint8, with cubes of 4 voxels at the given positions along x."""
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for place, value in boxes.items():
        voxels[8:12, 8:12, int(place[1:]) : int(place[1:]) + 4] = value
    return Volume(voxels, GRID)


def counted(reference, probability, settings=KEEP_ALL, n_classes=1, low_threshold=None, threshold=0.5):
    low_threshold = low_threshold or probability.with_voxels((probability.voxels_zyx > 0).astype(np.uint8))
    rows = lesion_counts(reference, low_threshold, probability, settings, threshold, None, 0.1, n_classes)
    return pd.DataFrame(rows)


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


def test_neither_count_ever_rises_with_the_threshold_and_the_studys_own_is_on_the_curve():
    """If each threshold were counted separately, merging of lesions at low thresholds would reduce the counts."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        field = gaussian_filter(rng.normal(size=GRID.shape_zyx), 2)
        probability = Volume(np.clip((field / field.max()) * 255, 0, 255).astype(np.uint8), GRID)
        lesions = gaussian_filter(rng.normal(size=GRID.shape_zyx), 2) + field
        reference = Volume((lesions > np.quantile(lesions, 0.93)).astype(np.uint8), GRID)
        settings = PostprocessSettings(20, False, False)
        found = counted(reference, probability, settings, threshold=0.45).set_index("threshold")
        assert found["found_lesions"].is_monotonic_decreasing
        assert found["false_lesions"].is_monotonic_decreasing
        sure, _ = postprocess(
            probability.with_voxels((probability.voxels_zyx >= 0.45 * 255).astype(np.uint8)), settings, None, False
        )
        measured = lesion_metrics(reference.voxels_zyx > 0, sure.voxels_zyx > 0, 0.1)
        assert found.loc[0.45, "found_lesions"] == measured["found_lesions"]
        assert found.loc[0.45, "false_lesions"] == measured["false_lesions"]
        assert found.loc[0.05].sum() > found.loc[0.45].sum()


def test_a_class_that_keeps_its_largest_component_has_one():
    found = counted(volume(x2=1), volume(x2=250, x22=100), PostprocessSettings(0, True, False)).set_index("threshold")
    assert found.loc[0.05, ["found_lesions", "false_lesions"]].tolist() == [1, 0]


def test_a_component_has_its_mean_probability():
    probability = volume(x2=250, x22=100)
    probability.voxels_zyx[8:12, 8:12, 2:4] = 140
    components = scored_components(
        probability.with_voxels((probability.voxels_zyx > 0).astype(np.uint8)),
        probability,
        volume(x2=1),
        None,
        KEEP_ALL,
        [0.5, 0.3],
        0.1,
        1,
    )
    assert [(found.label, found.matches) for found in components] == [(1, True), (1, False)]
    assert [found.score for found in components] == pytest.approx([195 / 255, 100 / 255])
