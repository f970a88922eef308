"""Masks in volume files: values of a label map, or one file per label."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ctseg.errors import InputError
from ctseg.geometry.resample import to_sitk
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.alignment import Tolerance
from ctseg.labels.mask_files import mask_files, read_label_map, read_mask_folder
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import write_nifti
from grids import turned

OBLIQUE = ((0.0, -0.6, -0.8), (-1.0, 0.0, 0.0), (0.0, 0.8, -0.6))
GRID = Grid((4, 5, 6), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), OBLIQUE)
VALUES = np.random.default_rng(0).integers(0, 5, GRID.shape_zyx)
LABELS = {"tumour": 4, "node": 2}
EXPECTED = np.where(VALUES == 4, 1, np.where(VALUES == 2, 2, 0))
TOLERANCE = Tolerance(0.05, 0.1)


def label_of(path: Path, labels: dict[str, int] = LABELS, **options) -> np.ndarray:
    return read_label(path, LabelSettings(labels, **options), GRID, "image.nii.gz").voxels_zyx


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_values_become_classes_in_the_order_of_the_labels(tmp_path, kind, name):
    volume = Volume(VALUES.astype(kind), GRID)
    if name.endswith((".nii", ".gz")):
        write_nifti(volume, tmp_path / name)
    else:
        sitk.WriteImage(to_sitk(volume), str(tmp_path / name))
    classes = label_of(tmp_path / name)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, EXPECTED)


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_values_that_are_no_labels_are_refused(tmp_path, value):
    voxels = VALUES.astype(np.float32)
    voxels[0, 0, 0] = value
    write_nifti(Volume(voxels, GRID), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii holds values that are not whole numbers"):
        label_of(tmp_path / "a.nii")


def test_a_label_without_a_target(tmp_path):
    write_nifti(Volume(VALUES.astype(np.uint8), GRID), tmp_path / "a.nii")
    with pytest.raises(
        InputError,
        match=r"a\.nii has no voxel of spleen: it holds 1, 2, 3 and 4, .*missing_label to allow",
    ):
        label_of(tmp_path / "a.nii", {"spleen": 9})
    assert not label_of(tmp_path / "a.nii", {"spleen": 9}, missing_ok=True).any()


def test_a_folder_with_a_file_for_each_label(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    write_nifti(
        turned(Volume((VALUES == 4).astype(np.float32) * 0.9, GRID), (0, 1, 2), (1, 0, 1)), folder / "big.nii.gz"
    )
    write_nifti(Volume((VALUES == 2).astype(np.uint8) * 255, GRID), folder / "node.nii")
    sitk.WriteImage(to_sitk(Volume((VALUES == 2).astype(np.uint8), GRID)), str(folder / "other.nrrd"))
    np.testing.assert_array_equal(label_of(folder, roi_names={"tumour": ("big",)}), EXPECTED)
    np.testing.assert_array_equal(label_of(folder, roi_names={"tumour": ("big",), "node": ("OTHER",)}), EXPECTED)
    with pytest.raises(InputError, match=r'no file called "tumour"; .* one or more of: "big", "node", "other"'):
        label_of(folder)
    assert set(np.unique(label_of(folder, missing_ok=True))) == {0, 2}


def test_floating_labels_that_are_nearly_whole_are_fine(tmp_path):
    write_nifti(Volume(VALUES.astype(np.float32) + 0.0004, GRID), tmp_path / "a.nii")
    np.testing.assert_array_equal(label_of(tmp_path / "a.nii"), EXPECTED)


def test_values_of_no_label_are_counted(tmp_path):
    write_nifti(Volume(VALUES.astype(np.uint8), GRID), tmp_path / "a.nii")
    found = read_label_map(tmp_path / "a.nii", LABELS, {}, GRID, "image", TOLERANCE)
    assert found.unused_values == {value: int((value == VALUES).sum()) for value in (1, 3)}
    assert found.warnings == []
    masks = {label: structure.mask for label, structure in found.structures}
    np.testing.assert_array_equal(masks["tumour"], VALUES == 4)
    np.testing.assert_array_equal(masks["node"], VALUES == 2)


def test_a_label_without_a_voxel_beside_values_of_no_label_is_likely_mixed_up(tmp_path):
    voxels = np.where(np.isin(VALUES, (1, 4)), VALUES, 0).astype(np.uint8)
    write_nifti(Volume(voxels, GRID), tmp_path / "a.nii")
    found = read_label_map(tmp_path / "a.nii", LABELS, {}, GRID, "image", TOLERANCE)
    count = int((VALUES == 1).sum())
    assert found.warnings == [
        f"node (value 2) has no voxel in this label, while its value is in no label: 1 ({count} voxels); "
        "check target.labels"
    ]


def test_the_files_of_a_folder_are_its_volumes_in_order(tmp_path):
    for name in ("b.nii.gz", "a.NRRD", "c.mha", ".hidden.nii", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in mask_files(tmp_path)] == ["a.NRRD", "b.nii.gz", "c.mha"]


def test_an_empty_file_of_a_folder_is_told_unless_labels_may_be_missing(tmp_path):
    write_nifti(Volume(np.zeros(GRID.shape_zyx, np.uint8), GRID), tmp_path / "node.nii")
    for missing_ok, told in ((False, ("the file has no voxel inside",)), (True, ())):
        [(_, found)] = read_mask_folder(tmp_path, {"node": ["node"]}, GRID, "image", TOLERANCE, missing_ok)
        assert (found.facts, found.warnings) == ({"files": 1}, told)
