import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.preprocessing.fingerprint import fingerprint
from plans import facts, made, values


def test_spacing_is_the_median_and_every_decision_has_a_reason():
    decisions = made([facts((0.6, 0.6, 1.0)), facts((0.7, 0.7, 2.0)), facts((0.9, 0.9, 1.5))])
    assert decisions["spacing_mm"]["value"] == [0.7, 0.7, 1.5]
    assert all(len(decision["reason"]) > 10 for decision in decisions.values())


def test_a_much_coarser_axis_takes_its_tenth_percentile():
    decisions = made([facts((0.7, 0.7, z)) for z in (2.0, 5.0, 5.0, 5.0, 5.0)])
    assert decisions["spacing_mm"]["value"][2] == pytest.approx(np.percentile([2, 5, 5, 5, 5], 10))


def test_the_window_follows_the_foreground():
    found = values([facts(), facts(percentiles=None)])
    assert found["window_hu"] == [-100, 170]
    assert found["scaling_hu"] == [35, 135]
    with pytest.raises(InputError, match="give a window"):
        made([facts(percentiles=None)])


def test_the_z_score_is_that_of_all_targets_together():
    found = values([facts(percentiles=(-50.0, 40.0, 120.0)), facts(percentiles=(-70.0, 60.0, 140.0))], scaling="zscore")
    assert found["window_hu"] == pytest.approx([-69, 139], abs=2)
    assert found["scaling_hu"] == [50, pytest.approx(np.hypot(30, 10), abs=1e-3)]


def test_the_window_is_that_of_all_targets_together_each_case_with_the_same_weight():
    rng = np.random.default_rng(0)
    fat = rng.normal(-90, 15, 40_000).round()
    soft = [rng.normal(mean, 20, 10_000).round() for mean in (20, 35, 50)]
    cases = [fingerprint(*one_target(values_hu), None, 1) for values_hu in (fat, *soft)]
    alike = np.concatenate([fat[:10_000], *soft])
    assert made(cases, scaling="zscore")["window_hu"]["value"] == pytest.approx(
        np.percentile(alike, [0.5, 99.5]), abs=2
    )


def one_target(values_hu):
    """Scan with these HU and a label that covers it completely."""
    voxels = values_hu.reshape(10, 10, -1).astype(np.int16)
    grid = Grid(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    return Volume(voxels, grid), Volume(np.ones(voxels.shape, np.uint8), grid)


@pytest.mark.parametrize(("shares", "region"), [((1.0, 0.995), "lungs"), ((1.0, 0.5), "body")])
def test_the_region_is_the_lungs_if_all_targets_lie_there(shares, region):
    assert values([facts(in_lungs=share) for share in shares], region="auto")["region"] == region


def test_given_values_win():
    given = {
        "spacing_mm": [1, 1, 1],
        "window_hu": "lung",
        "patch_size": [32, 32, 16],
        "batch_size": 3,
        "region": "lungs",
        "channels": [8, 16, 24],
        "strides": [[2, 2, 1], [2, 2, 2]],
        "architecture": "dynunet",
        "kernel_sizes": [[3, 3, 1], [3, 3, 3], [3, 3, 3]],
    }
    found = values([facts()], **given)
    assert {name: found[name] for name in given if name != "architecture"} == {
        **{name: value for name, value in given.items() if name != "architecture"},
        "window_hu": [-1000.0, 400.0],
    }


def test_the_smallest_component_is_half_of_what_nearly_all_exceed():
    found = values([facts(volumes=range(100, 200)), facts(volumes=range(200, 301))])
    assert found["smallest_component_mm3"] == pytest.approx(np.percentile(range(100, 301), 5) / 2)
    assert values([facts()])["smallest_component_mm3"] == 0
