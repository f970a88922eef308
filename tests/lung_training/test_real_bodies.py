import numpy as np
import pytest

from chests import chest
from ctseg.errors import InputError
from ctseg.file_hash import sha256_of
from ctseg.lung_training.bodies import LEFT, RIGHT
from ctseg.lung_training.real_bodies import RealScan, read_body, read_checked, sides_of
from ctseg.scans.nifti import write_nifti


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    write_nifti(chest()[0], folder / "image.nii.gz")
    return folder


def test_a_read_chest_has_its_lungs_on_their_sides(folder):
    body = read_body(folder / "image.nii.gz")
    middle = body.sides.shape[2] / 2
    assert np.nonzero(body.sides == RIGHT)[2].max() < middle < np.nonzero(body.sides == LEFT)[2].min()
    assert body.hu.dtype == np.float32


def test_lungs_that_touch_are_parted_at_their_cores():
    lungs = np.zeros((20, 20, 40), bool)
    lungs[2:18, 2:18, 2:20] = lungs[2:18, 2:18, 21:38] = lungs[8:11, 8:11] = True
    sides = sides_of(lungs)
    assert (sides[lungs] > 0).all()
    assert (sides[2:18, 2:18, 2:19] == RIGHT).all()
    assert (sides[2:18, 2:18, 22:38] == LEFT).all()


def test_an_empty_field_has_no_sides():
    assert not sides_of(np.zeros((5, 5, 5), bool)).any()


def test_only_the_file_that_is_listed_is_taken(folder):
    right = sha256_of(folder / "image.nii.gz")
    assert read_checked(folder, RealScan("image.nii.gz", "", "", right), with_lungs=True).sides.any()
    assert not read_checked(folder, RealScan("image.nii.gz", "", "", right), with_lungs=False).sides.any()
    with pytest.raises(InputError, match="SHA-256"):
        read_checked(folder, RealScan("image.nii.gz", "", "", "0" * 64), with_lungs=True)
    with pytest.raises(InputError, match="is missing"):
        read_checked(folder, RealScan("other.nii.gz", "", "", right), with_lungs=True)
