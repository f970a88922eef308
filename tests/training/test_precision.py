"""Training precision of a device."""

from dataclasses import replace

import pytest
import torch

from ctseg.training.precision import resolved_precision
from training_data import SETTINGS

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("wanted", "device", "precision"),
    [
        ("auto", CPU, "float32"),
        ("auto", GPU, "bfloat16"),
        ("bfloat16", CPU, "bfloat16"),
        ("tf32", CPU, "float32"),
        ("float16", CPU, "float32"),
        ("tf32", GPU, "tf32"),
        ("float16", GPU, "float16"),
        ("float32", GPU, "float32"),
    ],
)
def test_what_a_device_cannot_compute_in_is_float32(wanted, device, precision):
    assert resolved_precision(replace(SETTINGS, precision=wanted, patch_zyx=(16, 8, 8)), device) == precision


@pytest.mark.parametrize(("depth", "precision"), [(4, "float32"), (8, "float32"), (12, "bfloat16"), (16, "bfloat16")])
def test_processors_train_networks_with_maps_of_two_slices_in_float32(depth, precision):
    deeper = replace(SETTINGS.network, channels=(4, 8, 8), strides_zyx=((2, 2, 2),) * 2, kernels_zyx=((3, 3, 3),) * 3)
    settings = replace(SETTINGS, precision="bfloat16", patch_zyx=(depth, 8, 8), network=deeper)
    assert resolved_precision(settings, CPU) == precision
    assert resolved_precision(settings, GPU) == "bfloat16"
