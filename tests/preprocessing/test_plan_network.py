import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.network.levels import size_multiple
from ctseg.preprocessing.plan_network import (
    MOST_PATCH_VOXELS,
    MOST_PATCH_VOXELS_ON_PROCESSOR,
    STEP_BYTES,
)
from plans import facts, made, values


@pytest.mark.parametrize("memory_gib", [1, 2, 8, 40])
def test_patches_fit_the_memory_and_the_network(memory_gib):
    found = values([facts()], memory_gib=memory_gib)
    patch, batch = found["patch_size"], found["batch_size"]
    assert all(size % 16 == 0 and size >= 32 for size in patch)
    assert 2 <= batch <= 8
    assert np.prod(patch) * batch * 16 * STEP_BYTES <= memory_gib * 2**30


def test_a_patch_is_no_larger_than_what_there_is_to_see():
    one = facts(region=(30, 40, 50))
    assert values([one], memory_gib=100)["patch_size"] == [48, 64, 64]
    assert values([one], memory_gib=100, region="lungs", channels=[16, 32])["patch_size"] == [22, 30, 26]


def test_levels_follow_the_patch_where_they_are_open():
    found = values([facts(spacing=(1, 1, 4), region=(128, 128, 64))], channels="auto", memory_gib=100)
    assert found["channels"] == [32, 64, 128, 256, 320, 320]
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


def test_the_memory_is_told_where_anything_follows_from_the_device():
    assert made([facts()])["memory_gib"] == {"value": 4, "reason": "for the test"}
    assert "memory_gib" in made([facts()], batch_size=2)
    given = {"batch_size": 2, "patch_size": [64, 64, 64], "stem": "auto"}
    assert "memory_gib" in made([facts()], **given, architecture="auto")
    assert "memory_gib" not in made([facts()], **given)  # a unet has no stem
    assert "memory_gib" in made([facts()], **given, channels="auto")
    assert "memory_gib" not in made([facts()], batch_size=2, patch_size=[64, 64, 64])


@pytest.mark.parametrize("on_gpu", [True, False])
def test_a_large_memory_makes_no_endless_patches(on_gpu):
    found = values([facts(region=(500, 500, 600))], memory_gib=64, on_gpu=on_gpu)
    most = MOST_PATCH_VOXELS if on_gpu else MOST_PATCH_VOXELS_ON_PROCESSOR
    assert 0.8 * most < np.prod(found["patch_size"]) <= most
    assert found["batch_size"] == 2


@pytest.mark.parametrize(("on_gpu", "batch_size"), [(True, 8), (False, 2)])
def test_a_gpu_gets_more_of_small_patches(on_gpu, batch_size):
    assert (
        values([facts()], memory_gib=24, patch_size=[48, 48, 48], channels=[8, 16, 32], on_gpu=on_gpu)["batch_size"]
        == batch_size
    )


OPEN = {"architecture": "auto", "channels": "auto", "stem": "auto"}


def test_the_network_follows_the_device_and_says_so():
    on_gpu, on_processor = (made([facts(spacing=(1, 1, 1))], on_gpu=on_gpu, **OPEN) for on_gpu in (True, False))
    assert on_gpu["architecture"]["value"] == on_processor["architecture"]["value"] == "dynunet"
    assert on_gpu["stem"]["value"] == [1, 1, 1]
    assert on_processor["stem"]["value"] == [2, 2, 2]
    assert "processor" in on_processor["stem"]["reason"]
    for found in (on_gpu, on_processor):
        multiple = size_multiple([found["stem"]["value"], *found["strides"]["value"]])
        patch = found["patch_size"]["value"]
        assert all(size % factor == 0 and size >= 2 * factor for size, factor in zip(patch, multiple, strict=True))


def test_a_coarse_axis_is_not_made_coarser_by_the_first_level():
    assert values([facts(spacing=(1, 1, 4))], on_gpu=False, **OPEN)["stem"] == [2, 2, 1]


def test_the_first_level_keeps_its_voxels_where_the_given_levels_need_them():
    given = {"architecture": "auto", "stem": "auto", "patch_size": [16, 16, 16], "spacing_mm": [1, 1, 1]}
    assert values([facts()], on_gpu=False, channels=[4, 8, 8], **given)["stem"] == [1, 1, 1]
    assert values([facts()], on_gpu=False, channels="auto", **given)["stem"] == [1, 1, 1]
    assert values([facts()], on_gpu=False, channels=[4, 8, 8], **given | {"patch_size": [32] * 3})["stem"] == [2, 2, 2]


@pytest.mark.parametrize(
    ("architecture", "size", "needs"), [("auto", 8, "dynunet needs 3"), ("unet", 4, "unet needs 2")]
)
def test_too_few_voxels_for_a_network_are_an_error(architecture, size, needs):
    given = {"architecture": architecture, "channels": "auto", "stem": "auto", "spacing_mm": [1, 1, 1]}
    for patch in ({"patch_size": [size] * 3}, {}):
        with pytest.raises(InputError, match=needs):
            made([facts(region=(size, size, size))], on_gpu=False, **given, **patch)


@pytest.mark.parametrize("architecture", ["unet", "segresnet"])
def test_other_networks_have_no_coarser_first_level(architecture):
    assert values([facts()], on_gpu=False, stem="auto", architecture=architecture)["stem"] == [1, 1, 1]


@pytest.mark.parametrize(("gpus", "batch_size"), [(1, 2), (2, 2), (3, 3), (4, 4)])
def test_several_gpus_get_the_same_number_of_patches(gpus, batch_size):
    decision = made([facts()], gpus=gpus)["batch_size"]
    assert decision["value"] == batch_size
    assert (f"each of {gpus} GPUs" in decision["reason"]) == (batch_size > 2)
