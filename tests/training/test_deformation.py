"""Deformations of a patch: in its planes, and in any direction."""

import numpy as np
import pytest
import torch

from ctseg.training.deformation import FreeDeformation, PlaneDeformation
from ctseg.training.random_changes import AugmentSettings, affine_matrix

CUBES = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_planes_that_stay_planes_are_interpolated_as_any_volume(seed):
    rng = np.random.default_rng(seed)
    volume = torch.from_numpy(rng.standard_normal((9, 14, 13), dtype=np.float32))
    settings = AugmentSettings((), rotate_degrees=40, scale=0.3)
    matrix = affine_matrix(rng, settings, (9, 14, 13), (7, 9, 8), (1.0, 1.5, 2.0))
    in_planes = PlaneDeformation.of(matrix, (9, 14, 13), (7, 9, 8))
    expected = FreeDeformation.of(matrix, (7, 9, 8))(volume)
    torch.testing.assert_close(in_planes(volume), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("first", "stop"), [(0, 9), (3, 5), (8, 9), (0, 1)])
def test_planes_that_are_empty_need_not_be_given(first, stop):
    rng = np.random.default_rng(first)
    volume = torch.zeros(9, 14, 13)
    volume[first:stop] = torch.from_numpy(rng.standard_normal((stop - first, 14, 13), dtype=np.float32))
    matrix = 0.7 * affine_matrix(rng, AugmentSettings((), rotate_degrees=40), (9, 14, 13), (7, 9, 8), CUBES)
    deform = PlaneDeformation.of(matrix, (9, 14, 13), (7, 9, 8))  # does not reach the first and last plane
    whole, planes = deform(volume), deform.planes_of(first, stop)
    torch.testing.assert_close(deform(volume[first:stop], first), whole[planes], rtol=1e-5, atol=1e-6)
    assert not whole[: planes.start].any()
    assert not whole[planes.stop :].any()
