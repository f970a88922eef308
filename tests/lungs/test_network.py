import numpy as np
import pytest

from chests import IDENTITY, chest, rearranged
from ctseg.geometry.volume import Grid, Volume
from ctseg.lungs import network
from ctseg.lungs.coarse import FULL, HALF
from ctseg.lungs.network import body_box, lung_share, network_lungs, probabilities
from ctseg.lungs.network_file import LUNG_NETWORK
from ctseg.lungs.segment import segment_lungs
from ctseg.masks.overlap import dice_of_masks
from ctseg.scans.nifti import read_nifti
from real_data import real_data


def grid_of(shape):
    return Grid(shape, (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), IDENTITY)


def share_of(right, left=None):
    chances = np.stack([right, np.zeros_like(right) if left is None else left]).astype(np.float32)
    return lung_share(chances, grid_of(right.shape))


def test_the_body_box_leaves_out_the_table_and_keeps_all_slices():
    image = np.full((20, 60, 60), -1000, np.float32)
    image[4:16, 10:40, 12:50] = 40
    image[:, 52:54] = 100
    z, y, x = body_box(image, grid_of(image.shape))
    assert z == slice(0, 20)
    assert y.start <= 10
    assert 40 <= y.stop < 52
    assert x.start <= 12
    assert x.stop >= 50


def test_air_alone_has_no_body():
    image = np.full((5, 20, 20), -1000, np.float32)
    assert body_box(image, grid_of(image.shape)) is None
    assert not network_lungs(Volume(image, grid_of(image.shape))).voxels_zyx.any()


def test_small_parts_are_left_out_and_holes_filled():
    right = np.zeros((40, 40, 40))
    right[2:30, 2:30, 2:20] = 0.9
    right[10:14, 10:14, 8:12] = 0.2
    right[36:39, 36:39, 36:39] = 0.95
    share = share_of(right)
    assert (share[2:30, 2:30, 2:20] >= FULL // 2).all()
    assert (share[36:39, 36:39, 36:39] == HALF - 1).all()
    assert (share < HALF)[~(right > 0)].all()


def test_one_whole_lung_and_one_small_part_of_the_other():
    right, left = np.zeros((2, 40, 40, 60))
    right[2:34, 2:34, 2:20], left[4:9, 4:9, 40:45] = 1, 1
    share = share_of(right, left)
    assert (share[2:34, 2:34, 2:20] == FULL).all()
    assert (share[:, :, 30:] < HALF).all()


def test_the_surface_lies_between_voxels():
    right = np.zeros((40, 40, 40))
    right[5:35, 5:35, 5:35] = 1
    right[5:35, 5:35, 35] = 0.4
    share = share_of(right)
    assert share[20, 20, 35] == round(0.4 * FULL)
    assert share[20, 20, 36] == 0


def test_windows_of_slices_give_what_one_gives(monkeypatch):
    image = np.random.default_rng(0).normal(-500, 300, (80, 32, 32)).astype(np.float32)
    whole = probabilities(image, LUNG_NETWORK)
    monkeypatch.setattr(network, "WINDOW", 64)
    monkeypatch.setattr(network, "SHARED", 48)
    parts = probabilities(image, LUNG_NETWORK)
    assert parts.shape == (2, 80, 32, 32)
    assert np.abs(parts - whole).mean() < 0.05


def test_the_same_scan_gives_the_same_field_in_any_order_of_its_axes():
    image = chest(4.0)[0]
    first = segment_lungs(image, "network").lungs.voxels_zyx
    np.testing.assert_array_equal(first, segment_lungs(image, "network").lungs.voxels_zyx)
    other = segment_lungs(rearranged(image, (1, 0, 2), (0, 2)), "network").lungs
    np.testing.assert_array_equal(other.voxels_zyx, rearranged(image.with_voxels(first), (1, 0, 2), (0, 2)).voxels_zyx)


@pytest.mark.realdata
def test_a_real_tumour_that_no_training_saw_lies_in_the_field():
    image = read_nifti(real_data("chest-nifti/4dlung-113/image.nii.gz"))
    tumour = read_nifti(real_data("chest-nifti/4dlung-113/label.nii.gz")).voxels_zyx == 1
    assert segment_lungs(image).lungs.voxels_zyx[tumour].mean() < 0.3
    lungs, facts = segment_lungs(image, "auto")
    assert facts["plausible"]
    assert lungs.voxels_zyx[tumour].mean() > 0.9


@pytest.mark.realdata
@pytest.mark.parametrize("scan", ["cmb-crc-01068", "nsclc-r01-001", "lidc-0001"])
def test_a_healthy_real_chest_stays_nearly_as_it_is(scan):
    image = read_nifti(real_data(f"chest-nifti/{scan}/image.nii.gz"))
    before, after = (segment_lungs(image, method).lungs.voxels_zyx > 0 for method in ("threshold", "auto"))
    assert after[before].mean() > 0.999
    assert dice_of_masks(before, after) > 0.99


@pytest.mark.realdata
@pytest.mark.parametrize("scan", ["sarcoma-nifti/STS_003/image", "sarcoma-nifti/STS_011/image"])
def test_nothing_is_found_in_a_real_limb(scan):
    image = read_nifti(real_data(f"{scan}.nii.gz"))
    assert not segment_lungs(image, "network").facts["plausible"]
