"""Levels, strides and kernels follow patch and voxel size as in nnU-Net."""

import pytest

from ctseg.network.levels import plan_kernels, plan_strides, size_multiple


def test_cubes_are_halved_evenly_until_the_map_is_small():
    assert plan_strides((1, 1, 1), (64, 64, 64), None) == [(2, 2, 2)] * 4
    assert plan_strides((1, 1, 1), (64, 64, 64), 3) == [(2, 2, 2)] * 2
    assert plan_strides((1, 1, 1), (8, 8, 8), 5) == [(2, 2, 2)]
    assert plan_kernels((1, 1, 1), [(2, 2, 2)]) == [(3, 3, 3)] * 2


def test_thick_slices_wait_until_the_plane_is_as_coarse():
    strides = plan_strides((0.8, 0.8, 5), (128, 128, 32), None)
    assert strides == [(2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
    assert plan_kernels((0.8, 0.8, 5), strides) == [(3, 3, 1)] * 2 + [(3, 3, 3)] * 4
    assert size_multiple(strides) == (32, 32, 8)


def test_an_axis_that_has_run_out_stops_alone():
    assert plan_strides((1, 1, 1), (64, 64, 16), None) == [(2, 2, 2)] * 2 + [(2, 2, 1)] * 2


@pytest.mark.parametrize("levels", [2, 5])
def test_before_a_patch_is_chosen_voxels_never_run_out(levels):
    assert plan_strides((2, 2, 3.3), None, levels) == [(2, 2, 2)] * (levels - 1)
