"""Which of a folder's stacks is the scan, and why the others are not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctseg.dicom.header import list_headers
from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack, find_stacks
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from dicom_files import INTERCEPT, body, ct_slice, write, write_series
from places import SCRIPTS
from real_data import real_data

LIST_SERIES = SCRIPTS / "list_series.py"
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


def grid_of(n_slices: int, distance_mm: float = 2.0, direction=AXIAL) -> Grid:
    return Grid((n_slices, 5, 6), (0.7, 0.9, distance_mm), (-9.0, 4.0, 30.0), direction)


def add(
    folder: Path, uid: str, n_slices: int = 10, distance_mm: float = 2.0, direction=AXIAL, **elements
) -> np.ndarray:
    hu, grid = body((n_slices, 5, 6), seed=len(uid) + n_slices), grid_of(n_slices, distance_mm, direction)
    write_series(folder / uid, hu, grid, SeriesInstanceUID=uid, **elements)
    return hu


def reasons(folder: Path, **arguments) -> dict[str, str]:
    return {stack.series_uid: reason for stack, reason in choose_stack(folder, **arguments).others}


@pytest.mark.parametrize(
    "other, reason",
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"], "n_slices": 40}, "not an original image"),
        ({"ImageType": ["ORIGINAL", "SECONDARY", "AXIAL"], "n_slices": 40}, "a secondary image"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MPR"], "n_slices": 40}, "a reformat"),
        ({"direction": CORONAL, "n_slices": 40}, "not axial"),
        ({"n_slices": 5, "distance_mm": 1.0}, "shorter"),
        ({"n_slices": 5, "distance_mm": 4.5}, "thicker slices"),
        ({"Modality": "MR", "n_slices": 40}, "not CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "n_slices": 40}, "a localizer"),
        ({"SamplesPerPixel": 3, "n_slices": 40}, "a picture in colour"),
        ({"n_slices": 1}, "a single image"),
        ({}, "equal to the chosen one"),
    ],
)
def test_the_reason_against_each_other_series_is_told(tmp_path, other, reason):
    add(tmp_path, "1.1")
    add(tmp_path, "1.22", **other)
    choice = choose_stack(tmp_path)
    assert choice.stack.series_uid == "1.1"
    assert reasons(tmp_path) == {"1.22": reason}


def test_the_series_that_is_asked_for_wins(tmp_path):
    add(tmp_path, "1.2.840.1")
    wanted = add(tmp_path, "1.2.840.22", ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])
    volume, facts = read_dicom(tmp_path, "1.2.840.22")
    np.testing.assert_array_equal(volume.voxels_zyx, wanted)
    assert [other["reason"] for other in facts["series"]["others"]] == ["another series was asked for"]
    with pytest.raises(InputError, match="series_uid is not among the 2 CT series") as error:
        read_dicom(tmp_path, "1.2.840.99")
    assert "1.2.840" not in str(error.value)


def test_series_of_several_patients_are_refused_unless_one_is_asked_for(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="Zyx-2 ")
    add(tmp_path, "1.333", PatientID="Zyx-2")
    with pytest.raises(InputError, match="CT series of 2 patients") as error:
        choose_stack(tmp_path)
    assert "Zyx" not in str(error.value)
    assert choose_stack(tmp_path, "1.22").stack.series_uid == "1.22"
    assert choose_stack(tmp_path / "1.1").stack.series_uid == "1.1"


def test_a_series_without_a_patient_is_no_other_patient(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="")
    assert choose_stack(tmp_path).stack.series_uid == "1.1"


def test_the_patient_is_told_apart_without_being_read(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    (header, *_) = list_headers(tmp_path)
    assert header.patient
    assert "Zyx" not in f"{header} {header.dataset}"
    assert "PatientID" not in header.dataset


def test_all_series_of_a_folder_are_listed(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="Zyx-1", n_slices=5)
    run = subprocess.run([sys.executable, LIST_SERIES, tmp_path], capture_output=True, text=True, check=True)
    header, *rows = (line.split() for line in run.stdout.splitlines())
    assert [header[0], header[2], *header[-2:]] == ["patient", "images", "series_uid", "use"]
    told = [[row[0], row[2], *row[-2:]] for row in rows]
    assert told == [["1", "10", "1.1", "CHOSEN"], ["1", "5", "1.22", "shorter"]]
    add(tmp_path, "1.333", PatientID="Zyx-2")
    run = subprocess.run([sys.executable, LIST_SERIES, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert [line.split()[0] for line in run.stdout.splitlines()[1:]] == ["1", "1", "2"]
    assert "CT series of 2 patients" in run.stderr
    assert "Zyx" not in run.stdout + run.stderr


def test_a_preferred_kernel_wins_over_thin_slices(tmp_path):
    add(tmp_path, "1.1", n_slices=20, distance_mm=1.0, ConvolutionKernel=["B70f"])
    add(tmp_path, "1.22", n_slices=10, ConvolutionKernel=["B30f"])
    assert choose_stack(tmp_path).stack.series_uid == "1.1"
    assert choose_stack(tmp_path, kernels=["STANDARD", "b3*"]).stack.series_uid == "1.22"
    assert reasons(tmp_path, kernels=["b3*"]) == {"1.1": "a kernel that was not preferred"}


@pytest.mark.parametrize(
    "element, values",
    [
        ("AcquisitionNumber", [1, 2]),
        ("TemporalPositionIdentifier", [1, 2]),
        ("NominalPercentageOfCardiacPhase", [40, 70]),
        ("ConvolutionKernel", ["B30f", "B70f"]),
    ],
)
def test_time_points_and_acquisitions_of_one_series_are_told_apart(tmp_path, element, values):
    scans = [body((4, 5, 6), seed=seed) for seed in range(2)]
    for index, (hu, value) in enumerate(zip(scans, values, strict=True)):
        write_series(tmp_path / str(index), hu, grid_of(4), **{element: value})
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, scans[0])
    assert facts["series"]["chosen"]["part"].endswith("1 of 2")
    assert [other["part"][-6:] for other in facts["series"]["others"]] == ["2 of 2"]


def test_acquisitions_that_continue_each_other_are_one_scan(tmp_path):
    hu, grid = body((8, 5, 6)), grid_of(8)
    for index, slice_hu in enumerate(hu):
        stored = (slice_hu - INTERCEPT).astype(np.uint16)
        write(ct_slice(stored, grid, index, AcquisitionNumber=1 + index // 4), tmp_path / f"{index}")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert facts["series"]["chosen"]["part"] is None


def test_copies_of_a_few_slices_are_no_acquisition(tmp_path):
    hu, grid = body((8, 5, 6)), grid_of(8)
    for index, slice_hu in enumerate(hu):
        stored = (slice_hu - INTERCEPT).astype(np.uint16)
        write(ct_slice(stored, grid, index, AcquisitionNumber=1 + index // 4), tmp_path / f"{index}")
    write(ct_slice((hu[3] - INTERCEPT).astype(np.uint16), grid, 3, AcquisitionNumber=2), tmp_path / "copy")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert facts["duplicates_dropped"] == 1


def test_mixed_orientations_are_separated(tmp_path):
    hu = add(tmp_path, "1.1", n_slices=9)
    write_series(tmp_path / "views", body((3, 5, 6)), grid_of(3, direction=CORONAL), SeriesInstanceUID="1.1")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert facts["series"]["chosen"]["part"] == "orientation 1 of 2"
    assert facts["series"]["others"][0]["part"] == "orientation 2 of 2"


def test_a_faulty_series_stands_in_the_way_of_no_other(tmp_path):
    hu = add(tmp_path, "1.1")
    add(tmp_path, "1.22", n_slices=30, ImagePositionPatient=None)
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert [other["reason"] for other in facts["series"]["others"]] == ["a damaged or incomplete header"]


@pytest.mark.realdata
def test_real_folders_are_listed_with_all_they_hold():
    stacks = find_stacks(real_data("dicom-quirks/seg"))
    kinds = {(stack.headers[0].text("Modality"), len(stack.headers), stack.problem) for stack in stacks}
    assert ("SEG", 1, "not CT") in kinds
    assert ("CT", 3, "") in kinds
