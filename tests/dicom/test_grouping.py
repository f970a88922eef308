"""Stacks of a folder: slices are separated by series, size, orientation, acquisition and time point."""

import numpy as np
import pytest

from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import find_stacks
from dicom_files import INTERCEPT, body, ct_slice, write, write_series
from real_data import real_data
from small_series import CORONAL, add, grid_of


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


@pytest.mark.realdata
def test_real_folders_are_listed_with_all_they_hold():
    stacks = find_stacks(real_data("dicom-quirks/seg"))
    kinds = {(stack.headers[0].text("Modality"), len(stack.headers), stack.problem) for stack in stacks}
    assert ("SEG", 1, "not CT") in kinds
    assert ("CT", 3, "") in kinds


def test_a_stack_is_sorted_and_says_what_it_is(tmp_path):
    add(tmp_path, "1.1", 4, 2.5, ConvolutionKernel=["Br38f", "3"], SliceThickness=3)
    (stack,) = find_stacks(tmp_path)
    np.testing.assert_allclose(stack.depths_mm, [30, 32.5, 35, 37.5])
    assert stack.facts() == {
        "modality": "CT",
        "image_type": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "part": None,
        "images": 4,
        "first_to_last_mm": 7.5,
        "slice_distance_mm": 2.5,
        "slice_thickness_mm": 3,
        "kernel": "Br38f 3",
    }


def test_what_can_be_no_volume_is_a_stack_with_a_problem(tmp_path):
    add(tmp_path, "1.1", 1)
    add(tmp_path, "1.2", 3, Modality="MR")
    add(tmp_path, "1.3", 3, distance_mm=0.001)
    add(tmp_path, "1.4", 3, ImagePositionPatient=None)
    problems = {stack.series_uid: stack.problem for stack in find_stacks(tmp_path)}
    assert problems == {
        "1.1": "a single image",
        "1.2": "not CT",
        "1.3": "its 3 slices all lie at one position",
        "1.4": "a damaged or incomplete header",
    }


@pytest.mark.parametrize(("odd", "problem"), [(1, ""), (2, "slices of different sizes")])
def test_a_tenth_of_the_slices_may_have_another_size(tmp_path, odd, problem):
    add(tmp_path, "1.1", 10)
    for index in range(odd):
        stored = np.zeros((7, 6), np.int16)
        write(ct_slice(stored, grid_of(odd), index, SeriesInstanceUID="1.1"), tmp_path / f"odd{index}.dcm")
    largest = max(find_stacks(tmp_path), key=lambda stack: len(stack.slices))
    assert largest.problem == problem
    assert len(largest.slices) == (10 if odd == 1 else 12)
    if problem:
        assert "separate the scans, or remove" in largest.fault


def test_one_slice_in_ten_may_be_damaged(tmp_path):
    add(tmp_path, "1.1", 10)
    stored = np.zeros((5, 6), np.int16)
    odd = ct_slice(stored, grid_of(1), 0, SeriesInstanceUID="1.1", PixelSpacing=None)
    write(odd, tmp_path / "odd.dcm")
    found = {(len(stack.headers), stack.problem) for stack in find_stacks(tmp_path)}
    assert found == {(10, ""), (1, "a damaged or incomplete header")}
    write(odd, tmp_path / "odd2.dcm")
    (stack,) = find_stacks(tmp_path)
    assert (len(stack.headers), stack.problem) == (12, "a damaged or incomplete header")
    assert "lacks a usable PixelSpacing" in stack.fault


def test_parts_are_counted_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2):
        write_series(tmp_path / str(number), body((3, 5, 6)), grid_of(3), AcquisitionNumber=number)
    named = {stack.part: stack.headers[0].text("AcquisitionNumber") for stack in find_stacks(tmp_path)}
    assert named == {"acquisition 1 of 3": "2", "acquisition 2 of 3": "9", "acquisition 3 of 3": "10"}
