"""Patches cut on a device equal those cut from files."""

import numpy as np
import pytest
import torch

from ctseg.training.gpu_sources import CasesInFiles, CasesOnDevice
from ctseg.training.patch_sampling import TrainingCase, cut_patch
from training_data import make_case

CPU = torch.device("cpu")
CASES = [make_case(0, second_class=True), make_case(1, size=17, second_class=True)]


@pytest.mark.parametrize("source", ["device", "files"])
def test_patches_are_cut_as_from_the_files_and_filled_beyond_them(source):
    cut = CasesOnDevice(CASES, CPU) if source == "device" else CasesInFiles(CPU)
    rng = np.random.default_rng(0)
    size = (6, 24, 9)  # larger than a case along y
    places = [(CASES[number % 2], rng.integers(-12, 22, 3)) for number in range(20)]
    hu, label = cut(places, size, -1000.0)
    assert hu.dtype == torch.int16
    assert label.dtype == torch.uint8
    for (case, start), *found in zip(places, hu, label, strict=True):
        np.testing.assert_array_equal(found[0], cut_patch(case.image_zyx, start, size, -1000))
        np.testing.assert_array_equal(found[1], cut_patch(case.label_zyx, start, size, 0))


def test_volumes_may_be_mapped_or_turned():
    turned = TrainingCase("turned", CASES[0].image_zyx[::-1].T, CASES[0].label_zyx[::-1].T, CASES[0].foreground)
    hu, label = CasesOnDevice([turned], CPU)([(turned, np.zeros(3, int))], turned.image_zyx.shape, -1000)
    np.testing.assert_array_equal(hu[0], turned.image_zyx)
    np.testing.assert_array_equal(label[0], turned.label_zyx)
