"""Voxel sizes and extents that are impossible for CT are rejected with a reason."""

import pytest

from ctseg.errors import InputError
from ctseg.geometry.possible_sizes import possible_spacing, require_possible
from ctseg.geometry.volume import Grid

AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def grid_of(shape_zyx, spacing_xyz_mm):
    return Grid(shape_zyx, spacing_xyz_mm, (0, 0, 0), AXES)


@pytest.mark.parametrize(
    ("shape_zyx", "spacing_xyz_mm"),
    [
        ((1000, 1000, 1000), (0.01, 0.01, 0.01)),  # micro-CT
        ((60, 512, 512), (0.98, 0.98, 10.0)),
        ((3999, 512, 512), (0.9, 0.9, 1.0)),  # a whole body
        ((2, 512, 512), (1.0, 1.0, 50.0)),
    ],
)
def test_scans_that_are_possible(shape_zyx, spacing_xyz_mm):
    require_possible(grid_of(shape_zyx, spacing_xyz_mm), "a.nii")


@pytest.mark.parametrize("spacing_xyz_mm", [(0.009, 1.0, 1.0), (1.0, 1.0, 51.0), (float("nan"), 1.0, 1.0)])
def test_voxels_of_another_unit_are_refused(spacing_xyz_mm):
    assert not possible_spacing(*spacing_xyz_mm)
    with pytest.raises(InputError, match=r"a\.nii has voxels of .* mm, which no CT has \(0\.01 to 50 mm\)"):
        require_possible(grid_of((4, 4, 4), spacing_xyz_mm), "a.nii")


@pytest.mark.parametrize(
    ("shape_zyx", "spacing_xyz_mm", "covers"),
    [((4001, 10, 10), (1.0, 1.0, 1.0), "10 x 10 x 4001 mm"), ((512, 2001, 2001), (1.0, 1.0, 1.0), "512 x 2001 x 2001")],
)
def test_an_extent_beyond_table_and_gantry_is_refused(shape_zyx, spacing_xyz_mm, covers):
    with pytest.raises(InputError, match=f"a.nii covers {covers}.* with voxels of 1 x 1 x 1 mm"):
        require_possible(grid_of(shape_zyx, spacing_xyz_mm), "a.nii")
