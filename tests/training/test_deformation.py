"""Deformed patches equal the interpolation of SciPy at the same positions."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from ctseg.training.deformation import Deformation
from ctseg.training.random_changes import AugmentSettings, affine_matrix

SOURCE, PATCH = (9, 14, 13), (7, 9, 8)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("moved", [0.0, 0.1])
def test_a_patch_is_interpolated_as_scipy_does_it(seed, moved):
    rng = np.random.default_rng(seed)
    volume = rng.standard_normal(SOURCE, dtype=np.float32)
    settings = AugmentSettings((), rotate_degrees=40, tilt_degrees=10, scale=0.3)
    matrix = affine_matrix(rng, settings, SOURCE, PATCH, (1.0, 1.5, 2.0))
    shifts = moved * rng.standard_normal((1, *PATCH, 3), dtype=np.float32)
    found = Deformation.of(matrix, PATCH, torch.from_numpy(shifts))(torch.from_numpy(volume))
    z, y, x = np.meshgrid(*((2 * np.arange(size) + 1) / size - 1 for size in PATCH), indexing="ij")
    places_xyz = np.stack([x, y, z], axis=-1) @ matrix.T + shifts[0]
    places_zyx = ((places_xyz[..., ::-1] + 1) * SOURCE - 1) / 2
    expected = map_coordinates(volume, np.moveaxis(places_zyx, -1, 0), order=1, mode="nearest")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
