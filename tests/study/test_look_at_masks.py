"""Masks in files, with scans in files or in DICOM series."""

import numpy as np
import pytest
import SimpleITK as sitk

from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import write_nifti
from ctseg.study.look_at_folder import look_at
from dicom_files import body, write_series

GRID = Grid((6, 7, 8), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
CASES = ("p1", "p2", "p3")


def mask(value=1):
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    voxels[2:4] = value
    return Volume(voxels, GRID)


def series(folder, case):
    write_series(folder, body(GRID.shape_zyx), GRID, SeriesInstanceUID=f"1.{case[1:]}", PatientID=case)


def test_masks_in_files_belong_to_dicom_series(tmp_path):
    for case in CASES:
        series(tmp_path / case / "dicom", case)
        write_nifti(mask(3), tmp_path / case / "lesion.nii.gz")
    look = look_at(str(tmp_path), print)
    assert look.cases["image"] == f"{tmp_path}/{{case}}/dicom"
    assert look.cases["label"] == f"{tmp_path}/{{case}}/lesion.nii.gz"
    assert (look.scans, look.labelled, look.labels) == (3, 3, {"target": 3})


def test_masks_in_a_folder_of_their_own_belong_to_series_of_that_name(tmp_path):
    for case in CASES:
        series(tmp_path / "scans" / case, case)
        write_nifti(mask(), tmp_path / "masks" / f"{case}.nii.gz")
    look = look_at(str(tmp_path), print)
    assert (look.cases["image"], look.cases["label"]) == (
        f"{tmp_path}/scans/{{case}}",
        f"{tmp_path}/masks/{{case}}.nii.gz",
    )
    assert look.labelled == 3


def test_series_beside_files_that_are_scans_are_told(tmp_path):
    for case in CASES:
        series(tmp_path / case / "dicom", case)
        write_nifti(Volume(body(GRID.shape_zyx), GRID), tmp_path / case / "ct.nii.gz")
        write_nifti(mask(), tmp_path / case / "mask.nii.gz")
    look = look_at(str(tmp_path), print)
    assert look.cases["image"] == f"{tmp_path}/{{case}}/ct.nii.gz"
    assert look.labelled == 3
    assert "not used: 3 folders with CT slices" in look.reasons


def write_case(folder, masks):
    """Write a scan, and beside it a folder with masks, the first one in plane 1, the second one in plane 2, …"""
    write_nifti(Volume(body(GRID.shape_zyx), GRID), folder / "ct.nii.gz")
    for plane, name in enumerate(masks, start=1):
        voxels = np.zeros(GRID.shape_zyx, np.uint8)
        voxels[plane] = 1
        write_nifti(Volume(voxels, GRID), folder / "organs" / "mask.nii.gz")
        if name.endswith(".nrrd"):
            sitk.WriteImage(sitk.ReadImage(folder / "organs" / "mask.nii.gz"), folder / "organs" / name)
        else:
            (folder / "organs" / "mask.nii.gz").rename(folder / "organs" / name)
    (folder / "organs" / "mask.nii.gz").unlink(missing_ok=True)


def planes_of(look, path):
    """The plane in which each label of the findings lies, as read from the label at `path`."""
    names = {label: (name,) for label, name in look.names_in_files.items()}
    label = read_label(path, LabelSettings(look.labels, names), GRID, "scan")
    return {name: int(np.argmax((label.voxels_zyx == n).any((1, 2)))) for n, name in enumerate(look.labels, start=1)}


@pytest.mark.parametrize(
    ("masks", "planes"),
    [
        (["肿瘤.nii.gz", "囊肿.nii.gz", "肝脏.nii.gz"], {"label_1": 2, "label_2": 3, "label_3": 1}),
        (["GTV+1.nii.gz", "GTV-1.nii.gz", "GTV 1.nii.gz"], {"GTV_1": 3, "GTV_1_2": 1, "GTV-1": 2}),
        (["GTV.1.nii.gz", "GTV.2.nrrd", "liver.seg.nrrd"], {"GTV_1": 1, "GTV_2": 2, "liver_seg": 3}),
    ],
)
def test_every_file_of_a_folder_of_masks_is_a_label_that_is_found(tmp_path, masks, planes):
    for case in CASES:
        write_case(tmp_path / case, masks)
    look = look_at(str(tmp_path), print)
    assert look.cases["label"] == f"{tmp_path}/{{case}}/organs"
    assert planes_of(look, tmp_path / "p1" / "organs") == planes


def test_no_file_of_a_large_folder_of_masks_is_lost(tmp_path):
    organs = [f"organ {letter}" for letter in "abcdefghi"]
    for number in range(10):
        write_case(tmp_path / f"p{number}", [])
        for name in organs:
            write_nifti(mask(), tmp_path / f"p{number}" / "organs" / f"{name}.nii.gz")
    look = look_at(str(tmp_path), print)
    assert (look.cases["image"], look.labelled) == (f"{tmp_path}/{{case}}/ct.nii.gz", 10)
    assert list(look.names_in_files.values()) == organs


def test_segments_in_layers_that_share_a_value_are_labels_of_their_own(tmp_path):
    for case in CASES:
        write_case(tmp_path / case, [])
        write_nifti(mask(), tmp_path / case / "mask.nii.gz")
        layer = sitk.ReadImage(tmp_path / case / "mask.nii.gz", sitk.sitkUInt8)
        other = sitk.RegionOfInterest(layer, (*layer.GetSize()[:2], 1), (0, 0, 0))
        both = sitk.Compose(layer, sitk.Paste(layer, other, other.GetSize(), destinationIndex=(0, 0, 3)))
        for number, name in enumerate(("肝脏", "肿瘤")):
            for key, value in (("Name", name), ("LabelValue", "1"), ("Layer", str(number))):
                both.SetMetaData(f"Segment{number}_{key}", value)
        (tmp_path / case / "mask.nii.gz").unlink()
        sitk.WriteImage(both, tmp_path / case / "mask.seg.nrrd")
    look = look_at(str(tmp_path), print)
    assert look.labels == {"label_1": 1, "label_2": 2}
    assert planes_of(look, tmp_path / "p1" / "mask.seg.nrrd") == {"label_1": 3, "label_2": 2}


@pytest.mark.parametrize(
    ("value", "labels", "words"),
    [
        (0, {"target": 1}, "hold no label; 1 is a guess"),
        (7, {"target": 7}, "hold [7]; "),
        (300, {"target": 1}, "not used: the values [300]"),
    ],
)
def test_labels_are_values_that_a_config_takes(tmp_path, value, labels, words):
    for case in CASES:
        write_case(tmp_path / case, [])
        voxels = mask().voxels_zyx.astype(np.float32) * value
        voxels[0, 0] = 0.5
        write_nifti(Volume(voxels, GRID), tmp_path / case / "mask.nii.gz")
    look = look_at(str(tmp_path), print)
    assert look.labels == labels
    assert any(words in reason for reason in look.reasons)
