import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.lungs.given import read_lungs
from ctseg.scans.nifti import write_nifti

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((4, 5, 6), (1.0, 1.5, 2.0), (10.0, -20.0, 30.0), IDENTITY)


def parts() -> np.ndarray:
    """Label map [z, y, x]: left lung 3, right lung 4, trachea 5."""
    voxels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    voxels[1:3, 1:4, 0:2], voxels[1:3, 1:4, 4:6], voxels[3, 2, 3] = 3, 4, 5
    return voxels


def test_every_value_counts_unless_some_are_named(tmp_path):
    path = tmp_path / "lungs.nii.gz"
    write_nifti(Volume(parts(), GRID), path)
    lungs = read_lungs(path, GRID, "image")
    assert lungs.voxels_zyx.dtype == np.uint8
    np.testing.assert_array_equal(lungs.voxels_zyx, parts() > 0)
    np.testing.assert_array_equal(read_lungs(path, GRID, "image", [3, 4]).voxels_zyx, np.isin(parts(), [3, 4]))
    with pytest.raises(InputError, match="has no voxel of 7, 8: it is not a lung field"):
        read_lungs(path, GRID, "image", [7, 8])


def test_a_flipped_file_is_brought_to_the_image(tmp_path):
    affine = GRID.affine.copy()
    affine[:3, 3] += affine[:3, 0] * 5
    affine[:3, 0] *= -1
    flipped = parts()[:, :, ::-1]
    write_nifti(Volume(flipped, Grid.from_affine(affine, flipped.shape)), tmp_path / "lungs.nii")
    np.testing.assert_array_equal(read_lungs(tmp_path / "lungs.nii", GRID, "image").voxels_zyx, parts() > 0)


def test_a_lung_field_of_another_scan_is_refused(tmp_path):
    moved = Grid(GRID.shape_zyx, GRID.spacing_xyz_mm, (10.0, -20.0, 30.5), IDENTITY)
    write_nifti(Volume(parts(), moved), tmp_path / "lungs.nii")
    with pytest.raises(InputError, match=r"lungs\.nii and image do not lie on one grid"):
        read_lungs(tmp_path / "lungs.nii", GRID, "image")
    with pytest.raises(InputError, match=r"lungs\.txt is not a lung field that ctseg reads"):
        read_lungs(tmp_path / "lungs.txt", GRID, "image")
