"""Masks in files, with scans in files or in DICOM series."""

import numpy as np

from ctseg.geometry.volume import Grid, Volume
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
