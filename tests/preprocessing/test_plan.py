import numpy as np
import pytest

from ctseg.decisions import Decision
from ctseg.errors import InputError
from ctseg.network.levels import size_multiple
from ctseg.preprocessing.plan import plan

AUTO = {
    "region": "body",
    "spacing_mm": "auto",
    "window_hu": "auto",
    "scaling": "window",
    "patch_size": "auto",
    "batch_size": "auto",
    "memory_gib": 4,
    "architecture": "unet",
    "channels": [16, 32, 64, 128, 256],
    "strides": "auto",
    "kernel_sizes": "auto",
}


def facts(spacing=(0.7, 0.7, 1.0), region=(300, 200, 250), percentiles=(-50.0, 40.0, 120.0), in_lungs=0.0, volumes=()):
    some = percentiles is not None
    return {
        "spacing_xyz_mm": list(spacing),
        "region_xyz_mm": {"body": list(region), "lungs": [mm / 2 for mm in region]},
        "foreground_in_lungs": in_lungs if some else None,
        "foreground_hu": {"percentiles": list(percentiles), "mean": percentiles[1], "std": 30.0} if some else None,
        "classes": [{"component_volumes_mm3": list(volumes)}],
    }


def made(fingerprints, **given):
    wanted = AUTO | given
    memory_gib = Decision(wanted.pop("memory_gib"), "for the test")
    return plan({str(i): fact for i, fact in enumerate(fingerprints)}, wanted, memory_gib)


def values(*arguments, **given):
    return {name: decision["value"] for name, decision in made(*arguments, **given).items()}


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
    assert found["window_hu"] == [-60, 130]
    assert found["scaling_hu"] == [50, pytest.approx(np.hypot(30, 10), abs=1e-3)]


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


@pytest.mark.parametrize("memory_gib", [1, 2, 8, 40])
def test_patches_fit_the_memory_and_the_network(memory_gib):
    found = values([facts()], memory_gib=memory_gib)
    patch, batch = found["patch_size"], found["batch_size"]
    assert all(size % 16 == 0 and size >= 32 for size in patch)
    assert 2 <= batch <= 8
    assert np.prod(patch) * batch * 1500 <= memory_gib * 2**30


def test_a_patch_is_no_larger_than_what_there_is_to_see():
    one = facts(region=(30, 40, 50))
    assert values([one], memory_gib=100)["patch_size"] == [48, 64, 64]
    assert values([one], memory_gib=100, region="lungs", channels=[16, 32])["patch_size"] == [22, 30, 26]


def test_levels_follow_the_patch_where_they_are_open():
    found = values([facts(spacing=(1, 1, 4), region=(128, 128, 64))], channels="auto", memory_gib=100)
    assert found["channels"] == [16, 32, 64, 128, 256, 256]
    assert found["strides"] == [[2, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1]]
    assert found["kernel_sizes"] == [[3, 3, 3]] * 6
    kernels = values([facts(spacing=(1, 1, 4))], channels="auto", architecture="dynunet")["kernel_sizes"]
    assert kernels[:3] == [[3, 3, 1], [3, 3, 1], [3, 3, 3]]
    assert all(
        size % multiple == 0
        for size, multiple in zip(found["patch_size"], size_multiple(found["strides"]), strict=True)
    )


def test_a_patch_that_does_not_fit_the_levels_is_refused():
    with pytest.raises(InputError, match=r"allows 2 levels, network.channels has 5"):
        made([facts()], patch_size=[8, 8, 8])
    with pytest.raises(InputError, match=r"should be multiples of \[16, 16, 16\]"):
        made([facts()], patch_size=[72, 64, 64], spacing_mm=[1, 1, 1])


def test_the_smallest_component_is_half_of_what_nearly_all_exceed():
    found = values([facts(volumes=range(100, 200)), facts(volumes=range(200, 301))])
    assert found["smallest_component_mm3"] == pytest.approx(np.percentile(range(100, 301), 5) / 2)
    assert values([facts()])["smallest_component_mm3"] == 0


def test_the_memory_is_told_where_sizes_follow_from_it():
    assert made([facts()])["memory_gib"] == {"value": 4, "reason": "for the test"}
    assert "memory_gib" in made([facts()], batch_size=2)
    assert "memory_gib" not in made([facts()], batch_size=2, patch_size=[64, 64, 64])


def test_a_large_gpu_makes_no_endless_patches():
    found = values([facts(region=(500, 500, 600))], memory_gib=64)
    assert 0.8 * 160**3 < np.prod(found["patch_size"]) <= 160**3
    assert found["batch_size"] == 8
