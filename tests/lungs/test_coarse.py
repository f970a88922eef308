import numpy as np
import pytest

from chests import chest, rearranged
from ctseg.geometry.volume import Grid, Volume
from ctseg.lungs.segment import segment_lungs
from ctseg.scans.nifti import read_nifti
from real_data import real_data


def same_lungs_when_rearranged(image, order_zyx, flips):
    expected = segment_lungs(image).lungs
    found = segment_lungs(rearranged(image, order_zyx, flips)).lungs
    return np.array_equal(found.voxels_zyx, rearranged(expected, order_zyx, flips).voxels_zyx)


def test_an_oblique_scan_has_the_same_field_in_the_world():
    image, *_ = chest()
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    oblique = Volume(image.voxels_zyx, Grid.from_affine(turn @ image.grid.affine, image.grid.shape_zyx))
    np.testing.assert_array_equal(segment_lungs(oblique).lungs.voxels_zyx, segment_lungs(image).lungs.voxels_zyx)


@pytest.mark.parametrize("order_zyx", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_the_order_of_the_axes_changes_nothing(order_zyx, flips):
    assert same_lungs_when_rearranged(chest(4.0)[0], order_zyx, flips)


def test_another_voxel_size_gives_the_same_volume():
    volumes = []
    for spacing_mm in (3.0, 5.0):
        image = chest(spacing_mm)[0]
        volumes.append(segment_lungs(image).lungs.voxels_zyx.sum() * image.grid.voxel_volume_mm3)
    assert volumes[0] == pytest.approx(volumes[1], rel=0.04)


@pytest.mark.realdata
def test_a_real_chest_stored_upside_down_gives_the_same_field():
    image = read_nifti(real_data("chest-nifti/4dlung-113/image.nii.gz"))
    assert same_lungs_when_rearranged(image, (0, 1, 2), (0, 2))


@pytest.mark.parametrize("slices", [slice(0, 45), slice(45, None)])
def test_lungs_that_the_scan_cuts_go_on_to_its_last_slice(slices):
    image, lungs, _, _ = chest()
    box = (slices.indices(len(lungs))[:2], (0, lungs.shape[1]), (0, lungs.shape[2]))
    cut = image.cropped(tuple(slice(*ends) for ends in box))
    end = -1 if slices.start == 0 else 0
    found = segment_lungs(cut).lungs.voxels_zyx[end] > 0
    assert found[lungs[slices][end]].mean() > 0.95
