"""The label map computed on a device equals that on a CPU."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctseg.inference import gpu_labels
from ctseg.masks.label_map import label_map


@given(st.integers(1, 4), st.floats(0.0625, 0.9375, width=32), st.integers(0, 2**16))
def test_both_decide_alike(n_classes, threshold, seed):
    probabilities = np.random.default_rng(seed).random((n_classes, 3, 4, 5), np.float32)
    found = gpu_labels.label_map(torch.from_numpy(probabilities), threshold)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.numpy(), label_map(probabilities, threshold))
