import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.plan import plan

AUTO = {"spacing_mm": "auto", "window_hu": "auto", "patch_size": "auto", "batch_size": "auto", "memory_gib": 4}


def facts(spacing=(0.7, 0.7, 1.0), region=(300, 200, 250), percentiles=(-50.0, 40.0, 120.0)):
    return {
        "spacing_xyz_mm": list(spacing),
        "region_xyz_mm": list(region),
        "foreground_hu_percentiles": None if percentiles is None else list(percentiles),
    }


def made(fingerprints, **given):
    wanted = {**AUTO, **given}
    return plan({str(i): fact for i, fact in enumerate(fingerprints)}, wanted, size_multiple=16, features=16)


def test_spacing_is_the_median_and_every_decision_has_a_reason():
    decisions = made([facts((0.6, 0.6, 1.0)), facts((0.7, 0.7, 2.0)), facts((0.9, 0.9, 1.5))])
    assert decisions["spacing_mm"]["value"] == [0.7, 0.7, 1.5]
    assert all(len(decision["reason"]) > 10 for decision in decisions.values())


def test_a_much_coarser_axis_takes_its_tenth_percentile():
    decisions = made([facts((0.7, 0.7, z)) for z in (2.0, 5.0, 5.0, 5.0, 5.0)])
    assert decisions["spacing_mm"]["value"][2] == pytest.approx(np.percentile([2, 5, 5, 5, 5], 10))


def test_the_window_follows_the_foreground():
    assert made([facts(), facts(percentiles=None)])["window_hu"]["value"] == [-100, 170]
    with pytest.raises(InputError, match="give a window"):
        made([facts(percentiles=None)])


def test_given_values_win():
    given = {"spacing_mm": [1, 1, 1], "window_hu": "lung", "patch_size": [32, 32, 16], "batch_size": 3}
    decisions = made([facts()], **given)
    values = {name: decision["value"] for name, decision in decisions.items()}
    assert values == {**given, "window_hu": [-1000.0, 400.0]}


@pytest.mark.parametrize("memory_gib", [1, 2, 8, 40])
def test_patches_fit_the_memory_and_the_network(memory_gib):
    decisions = made([facts()], memory_gib=memory_gib)
    patch, batch = decisions["patch_size"]["value"], decisions["batch_size"]["value"]
    assert all(size % 16 == 0 and size >= 32 for size in patch)
    assert 2 <= batch <= 8
    assert np.prod(patch) * batch * 1500 <= memory_gib * 2**30


def test_a_patch_is_no_larger_than_what_there_is_to_see():
    patch = made([facts(region=(30, 40, 50))], memory_gib=100)["patch_size"]["value"]
    assert patch == [48, 64, 64]
