from functools import cache

import numpy as np
import pytest

from ctseg.files import write_json
from ctseg.geometry.volume import Grid, Volume
from ctseg.lungs.segment import check_lungs, plausible_lungs, segment_lungs
from ctseg.masks.postprocessing import SHARE_IN_LUNGS
from ctseg.phantom.patient import PhantomSettings, make_phantom
from ctseg.scans.nifti import read_nifti, write_nifti
from real_data import real_data

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CHESTS = ["lidc-0001", "4dlung-113", "cmb-crc-01068", "nsclc-r01-001"]
CENTRES_XYZ_MM = ((-75, 0, 0), (75, 0, 0))
RADII_XYZ_MM = (50, 65, 90)
LUNGS_CM3 = 2 * 4 / 3 * np.pi * np.prod(RADII_XYZ_MM) / 1000


def ellipsoid(points, centre, radii):
    return (((points - centre) / radii) ** 2).sum(axis=-1) <= 1


@cache
def chest(spacing_mm=3.0, nodule_radius_mm=8.0):
    """Tissue of 40 HU around two lungs, a trachea between them, and a nodule on the outer pleura of the left one."""
    spacing = np.full(3, spacing_mm)
    shape_xyz = (np.array([360, 240, 260]) / spacing).astype(int)
    origin = -(shape_xyz - 1) / 2 * spacing
    grid = Grid(tuple(shape_xyz[::-1].tolist()), tuple(spacing.tolist()), tuple(origin.tolist()), IDENTITY)
    points = grid.points_xyz_mm(np.array(list(np.ndindex(*grid.shape_zyx)))).reshape(*grid.shape_zyx, 3)
    x, y, z = np.moveaxis(points, -1, 0)
    hu = np.where((x / 165) ** 2 + (y / 105) ** 2 <= 1, 40, -1000)
    lungs = np.any([ellipsoid(points, centre, RADII_XYZ_MM) for centre in CENTRES_XYZ_MM], axis=0)
    trachea = (np.hypot(x, y) <= 8) & (z > 0) & (z < 110)
    nodule = lungs & (np.linalg.norm(points - [125, 0, 0], axis=-1) <= nodule_radius_mm)
    hu[lungs], hu[trachea], hu[nodule] = -850, -1000, 30
    return Volume(hu.astype(np.int16), grid), lungs, trachea, nodule


def rearranged(volume, order_zyx, flips):
    """The same scan stored with permuted and flipped axes."""
    affine = volume.grid.affine[:, [2 - order_zyx[2], 2 - order_zyx[1], 2 - order_zyx[0], 3]].copy()
    voxels = volume.voxels_zyx.transpose(order_zyx)
    for axis in flips:
        column = 2 - axis
        affine[:, 3] += affine[:, column] * (voxels.shape[axis] - 1)
        affine[:, column] *= -1
        voxels = np.flip(voxels, axis)
    return Volume(voxels, Grid.from_affine(affine, voxels.shape))


def same_lungs_when_rearranged(image, order_zyx, flips):
    expected = segment_lungs(image)
    found = segment_lungs(rearranged(image, order_zyx, flips))
    return np.array_equal(found.voxels_zyx, rearranged(expected, order_zyx, flips).voxels_zyx)


def test_two_ellipsoids_are_found_with_their_volume():
    image, lungs, _, _ = chest()
    found = segment_lungs(image)
    assert found.grid == image.grid
    assert found.voxels_zyx.dtype == np.uint8
    assert found.voxels_zyx.sum() * 27 / 1000 == pytest.approx(LUNGS_CM3, rel=0.05)
    mask = found.voxels_zyx > 0
    assert 2 * (mask & lungs).sum() / (mask.sum() + lungs.sum()) > 0.97


def test_the_trachea_does_not_belong_to_the_field():
    image, _, trachea, _ = chest()
    assert (segment_lungs(image).voxels_zyx[trachea] > 0).mean() < 0.02


def test_enough_of_a_nodule_on_the_pleura_is_closed_over_to_keep_it():
    image, _, _, nodule = chest()
    # A closing leaves a rim of a nodule that is a half ball on the pleura; postprocessing keeps it by its share inside.
    assert (segment_lungs(image).voxels_zyx[nodule] > 0).mean() > 3 * SHARE_IN_LUNGS


def test_a_nodule_inside_the_lung_belongs_to_the_field():
    image, lungs, _, _ = chest()
    voxels = image.voxels_zyx.copy()
    points = image.grid.points_xyz_mm(np.argwhere(lungs))
    inner = np.zeros_like(lungs)
    inner[lungs] = np.linalg.norm(points - [75, 10, 10], axis=1) <= 20
    voxels[inner] = 30
    assert segment_lungs(image.with_voxels(voxels)).voxels_zyx[inner].all()


def test_a_trachea_that_joins_the_lungs_is_cut_off():
    image, lungs, trachea, _ = chest()
    y, x = (int(np.median(index)) for index in np.nonzero(trachea)[1:])
    voxels = image.voxels_zyx.copy()
    low = np.nonzero(trachea)[0].min()
    for side in (slice(x - 12, x), slice(x, x + 13)):
        voxels[low : low + 4, y - 2 : y + 2, side] = -1000
    found = segment_lungs(image.with_voxels(voxels)).voxels_zyx > 0
    assert found[trachea].mean() < 0.05
    assert found[lungs].mean() > 0.95


def test_the_foam_inside_the_tables_shell_is_no_lung():
    image, lungs, _, _ = chest()
    lowest = image.grid.shape_zyx[1] - 1
    voxels = image.voxels_zyx.copy()
    voxels[:, lowest - 6 : lowest, 15:105] = 100
    voxels[..., :60][lungs[..., :60]] = 40  # without the right lung, the foam is the second largest enclosed air
    foam = np.zeros_like(lungs)
    foam[:, lowest - 5 : lowest - 1, 16:104] = True
    voxels[foam] = -930
    found = segment_lungs(image.with_voxels(voxels)).voxels_zyx > 0
    assert not found[foam].any()
    assert found[lungs].mean() > 0.45


def test_an_oblique_scan_has_the_same_field_in_the_world():
    image, *_ = chest()
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    oblique = Volume(image.voxels_zyx, Grid.from_affine(turn @ image.grid.affine, image.grid.shape_zyx))
    np.testing.assert_array_equal(segment_lungs(oblique).voxels_zyx, segment_lungs(image).voxels_zyx)


def test_the_phantoms_true_lungs_are_found():
    phantom = make_phantom(PhantomSettings(3, (2.0, 2.2), (2.6, 3.0), (2, 4)), 0)
    found, truth = segment_lungs(phantom.image).voxels_zyx > 0, phantom.lungs.voxels_zyx > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


def test_bowel_gas_beside_the_lungs_is_left_out():
    image, lungs, _, _ = chest()
    voxels = image.voxels_zyx.copy()
    voxels[2:8, 25:55, 55:65] = -1000
    voxels[lungs] = image.voxels_zyx[lungs]
    gas = (voxels != image.voxels_zyx) & (voxels == -1000)
    assert gas.sum() * 27 > 40_000
    assert not segment_lungs(image.with_voxels(voxels)).voxels_zyx[gas].any()


@pytest.mark.parametrize("order_zyx", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_the_order_of_the_axes_changes_nothing(order_zyx, flips):
    assert same_lungs_when_rearranged(chest(4.0)[0], order_zyx, flips)


def test_another_voxel_size_gives_the_same_volume():
    volumes = []
    for spacing_mm in (3.0, 5.0):
        image = chest(spacing_mm)[0]
        volumes.append(segment_lungs(image).voxels_zyx.sum() * image.grid.voxel_volume_mm3)
    assert volumes[0] == pytest.approx(volumes[1], rel=0.04)


@pytest.mark.parametrize("hu", [-1024, -800, 40])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 5), (2, 30, 30)])
def test_a_scan_without_lungs_gives_an_empty_field_with_the_reason(hu, shape):
    image = Volume(np.full(shape, hu, np.int16), Grid(shape, (0.5, 0.5, 0.5), (0, 0, 0), IDENTITY))
    lungs = segment_lungs(image)
    facts = check_lungs(lungs, image)
    assert not lungs.voxels_zyx.any()
    assert facts["volume_cm3"] == 0
    assert facts["mean_hu"] is None
    assert not facts["plausible"]
    assert facts["reason"] == "no lung was found"


def box_of(volume_cm3, hu):
    grid = Grid((10, 10, 10), (10, 10, volume_cm3 / 100), (0, 0, 0), IDENTITY)
    return Volume(np.ones(grid.shape_zyx, np.uint8), grid), Volume(np.full(grid.shape_zyx, hu, np.int16), grid)


@pytest.mark.parametrize(
    ("volume_cm3", "hu", "word"),
    [(4000, -800, None), (300, -800, "volume"), (20_000, -800, "volume"), (4000, -1000, "HU"), (4000, -100, "HU")],
)
def test_volume_and_density_decide_what_is_plausible(volume_cm3, hu, word):
    facts = check_lungs(*box_of(volume_cm3, hu))
    assert facts["volume_cm3"] == pytest.approx(volume_cm3)
    assert facts["mean_hu"] == hu
    assert facts["plausible"] is (word is None)
    assert word is None or word in facts["reason"]


def test_lungs_that_the_scan_cuts_are_told():
    lungs, image = box_of(4000, -800)
    assert check_lungs(lungs, image)["cut_fraction"] == 1
    inner = np.zeros_like(lungs.voxels_zyx)
    inner[1:-1] = 1
    assert check_lungs(lungs.with_voxels(inner), image)["cut_fraction"] == 0


def test_only_plausible_lungs_are_read_from_files(tmp_path):
    lungs, _ = box_of(4000, -800)
    write_nifti(lungs, tmp_path / "lungs.nii.gz")
    for plausible in (True, False):
        write_json(tmp_path / "facts.json", {"plausible": plausible})
        found = plausible_lungs(tmp_path / "lungs.nii.gz", tmp_path / "facts.json")
        assert (found is not None) is plausible
    assert plausible_lungs(None, None) is None


@pytest.mark.realdata
@pytest.mark.parametrize("case", CHESTS)
def test_a_real_chest_is_plausible(case):
    image = read_nifti(real_data(f"chest-nifti/{case}/image.nii.gz"))
    facts = check_lungs(segment_lungs(image), image)
    assert facts["plausible"], facts["reason"]
    assert 2000 < facts["volume_cm3"] < 5000
    assert facts["cut_fraction"] < 0.05


@pytest.mark.realdata
def test_a_real_chest_stored_upside_down_gives_the_same_field():
    image = read_nifti(real_data("chest-nifti/4dlung-113/image.nii.gz"))
    assert same_lungs_when_rearranged(image, (0, 1, 2), (0, 2))


@pytest.mark.realdata
def test_a_real_nodule_lies_in_the_field():
    image = read_nifti(real_data("chest-nifti/lidc-0001/image.nii.gz"))
    label = read_nifti(real_data("chest-nifti/lidc-0001/label.nii.gz"))
    assert segment_lungs(image).voxels_zyx[label.voxels_zyx > 0].mean() > 0.98


@pytest.mark.parametrize("slices", [slice(0, 45), slice(45, None)])
def test_lungs_that_the_scan_cuts_go_on_to_its_last_slice(slices):
    image, lungs, _, _ = chest()
    box = (slices.indices(len(lungs))[:2], (0, lungs.shape[1]), (0, lungs.shape[2]))
    cut = image.cropped(tuple(slice(*ends) for ends in box))
    end = -1 if slices.start == 0 else 0
    found = segment_lungs(cut).voxels_zyx[end] > 0
    assert found[lungs[slices][end]].mean() > 0.95


@pytest.mark.realdata
def test_a_real_carina_lies_outside_of_the_field():
    image = read_nifti(real_data("chest-nifti/4dlung-113/image.nii.gz"))
    label = read_nifti(real_data("chest-nifti/4dlung-113/label.nii.gz"))
    # Class 3 is the carina, class 4 a vertebra.
    assert not segment_lungs(image).voxels_zyx[label.voxels_zyx >= 3].any()


@pytest.mark.realdata
@pytest.mark.parametrize("scan", ["abdomen/ct", "sarcoma-nifti/STS_003/image", "sarcoma-nifti/STS_013/image"])
def test_a_real_scan_of_another_part_of_the_body_is_not_plausible(scan):
    image = read_nifti(real_data(f"{scan}.nii.gz"))
    assert not check_lungs(segment_lungs(image), image)["plausible"]
