import numpy as np
import pytest

from chests import IDENTITY
from ctseg.files import write_json
from ctseg.geometry.volume import Grid, Volume
from ctseg.lungs.plausibility import check_lungs, plausible_lungs
from ctseg.lungs.segment import segment_lungs
from ctseg.scans.nifti import read_nifti, write_nifti
from real_data import real_data

CHESTS = ["lidc-0001", "4dlung-113", "cmb-crc-01068", "nsclc-r01-001"]


@pytest.mark.parametrize("hu", [-1024, -800, 40])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 5), (2, 30, 30)])
def test_a_scan_without_lungs_gives_an_empty_field_with_the_reason(hu, shape):
    image = Volume(np.full(shape, hu, np.int16), Grid(shape, (0.5, 0.5, 0.5), (0, 0, 0), IDENTITY))
    lungs = segment_lungs(image).lungs
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
    facts = check_lungs(segment_lungs(image).lungs, image)
    assert facts["plausible"], facts["reason"]
    assert 2000 < facts["volume_cm3"] < 5000
    assert facts["cut_fraction"] < 0.05


@pytest.mark.realdata
@pytest.mark.parametrize("scan", ["abdomen/ct", "sarcoma-nifti/STS_003/image", "sarcoma-nifti/STS_013/image"])
def test_a_real_scan_of_another_part_of_the_body_is_not_plausible(scan):
    image = read_nifti(real_data(f"{scan}.nii.gz"))
    assert not check_lungs(segment_lungs(image).lungs, image)["plausible"]
