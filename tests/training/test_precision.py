"""Training precision of a device."""

import pytest
import torch

from ctseg.training.precision import resolved_precision

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
    assert resolved_precision(wanted, device) == precision
