"""DICOM series become volumes in HU at the correct position, or are rejected with a reason."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.scans.nifti import read_nifti
from dicom_files import INTERCEPT, body, ct_slice, write, write_rtstruct, write_series
from real_data import real_data
from small_series import grid_of


def test_values_and_geometry_survive(tmp_path):
    hu, grid = body((4, 5, 6)), grid_of(4)
    volume, facts = read_dicom(write_series(tmp_path, hu, grid))
    assert volume.voxels_zyx.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert volume.grid.matches(grid, 1e-6)
    assert (facts["series"]["others"], facts["duplicates_dropped"], facts["gaps"], facts["tilt_deg"]) == (
        [],
        0,
        [],
        0.0,
    )
    assert facts["series"]["chosen"]["images"] == 4


@settings(max_examples=12, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    flip=st.booleans(),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
    shape=st.tuples(*[st.integers(2, 5)] * 3),
)
def test_every_voxel_lies_where_the_file_says(tmp_path_factory, angles, flip, spacing, shape):
    affine = np.eye(4)
    unit = np.diag([1.0, 1.0, -1.0 if flip else 1.0])
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ unit * spacing
    affine[:3, 3] = (11.5, -200.25, 300)
    grid, hu = Grid.from_affine(affine, shape), body(shape)
    volume, _ = read_dicom(write_series(tmp_path_factory.mktemp("scan"), hu, grid))
    # Slices are always sorted along their normal, so a grid in the opposite direction is returned reversed.
    back = slice(None, None, -1) if flip else slice(None)
    np.testing.assert_array_equal(volume.voxels_zyx, hu[back])
    indices = np.array(list(np.ndindex(shape)))
    places = grid.points_xyz_mm(indices).reshape(*shape, 3)[back].reshape(-1, 3)
    np.testing.assert_allclose(volume.grid.points_xyz_mm(indices), places, atol=1e-5)


def test_a_grid_is_found_below_other_files(tmp_path):
    hu = body((4, 5, 6))
    write_series(tmp_path / "a" / "b", hu, grid_of(4))
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "a" / ".hidden.dcm").write_bytes(b"")
    write_rtstruct(tmp_path / "RS.dcm", {"GTV": []})
    write(ct_slice(hu[0].astype(np.int16), grid_of(4), 0, Modality=None), tmp_path / "DICOMDIR")
    volume, _ = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)


def test_localizers_screenshots_and_single_images_are_passed_over(tmp_path):
    hu, stored = body((4, 5, 6)), np.zeros((9, 9), np.int16)
    write_series(tmp_path / "scan", hu, grid_of(4))
    for index in range(6):
        scout = ct_slice(stored, grid_of(4), index, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        write(scout, tmp_path / "scan" / f"scout{index}")
    for index in range(8):
        elements = {"SeriesInstanceUID": "1.5", "SamplesPerPixel": 3, "ImagePositionPatient": None}
        shot = ct_slice(stored, grid_of(4), index, **elements)
        write(shot, tmp_path / f"shot{index}")
    write(ct_slice(stored, grid_of(4), 0, SeriesInstanceUID="1.6"), tmp_path / "one")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    reasons = {other["reason"] for other in facts["series"]["others"]}
    assert reasons == {"a localizer", "a picture in colour", "a single image"}


def test_an_equal_duplicate_is_dropped_and_a_different_one_refused(tmp_path):
    hu, grid = body((4, 5, 6)), grid_of(4)
    write_series(tmp_path, hu, grid)
    write(ct_slice((hu[1] - INTERCEPT).astype(np.uint16), grid, 1), tmp_path / "copy")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert facts["duplicates_dropped"] == 1
    write(ct_slice((hu[2] - INTERCEPT).astype(np.uint16), grid, 1), tmp_path / "copy")
    with pytest.raises(InputError, match=r"copy.* same position with different pixels"):
        read_dicom(tmp_path)


@pytest.mark.parametrize(
    "elements, message",
    [
        ({"PixelSpacing": [0.8, 0.7]}, "different sizes"),
        ({"ImagePositionPatient": None}, "odd.dcm lacks a usable ImagePositionPatient"),
        ({"ImagePositionPatient": [1, 2]}, "odd.dcm lacks a usable ImagePositionPatient"),
        ({"PixelSpacing": None}, "odd.dcm lacks a usable PixelSpacing"),
        ({"PixelSpacing": [0, 1]}, "odd.dcm has pixels without a size"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "odd.dcm has an orientation"),
        ({"RescaleSlope": 0}, "odd.dcm has a rescale slope of 0"),
        ({"BitsAllocated": 64}, "odd.dcm stores 16 of 64 bits"),
        ({"PixelData": b"1234"}, "odd.dcm is cut: it holds 2 of 30 pixels"),
        ({"PixelData": None}, "odd.dcm holds no pixels"),
        ({"Modality": None}, "odd.dcm is a DICOM file without a modality"),
    ],
)
def test_an_odd_slice_is_named(tmp_path, elements, message):
    write_series(tmp_path, body((4, 5, 6)), grid_of(4))
    write(ct_slice(np.zeros((5, 6), np.uint16), grid_of(4), 4, **elements), tmp_path / "odd.dcm")
    with pytest.raises(InputError, match=message):
        read_dicom(tmp_path)


@pytest.mark.parametrize("bytes_left", [0, 100, 140, 200, 400, 700, -50, -1])
def test_a_cut_file_is_named_wherever_the_cut_is(tmp_path, bytes_left):
    write_series(tmp_path, body((4, 5, 6)), grid_of(4))
    path = write(ct_slice(np.zeros((5, 6), np.uint16), grid_of(4), 4), tmp_path / "cut.dcm")
    path.write_bytes(path.read_bytes()[:bytes_left])
    with pytest.raises(InputError, match=r"cut\.dcm"):
        read_dicom(tmp_path)


def test_folders_without_a_scan(tmp_path):
    with pytest.raises(InputError, match="no DICOM file in it"):
        read_dicom(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        read_dicom(tmp_path / "missing")
    write_rtstruct(tmp_path / "a", {})
    write(ct_slice(np.zeros((5, 6), np.uint16), grid_of(4), 0, NumberOfFrames=3), tmp_path / "b")
    write(ct_slice(np.zeros((5, 6), np.uint16), grid_of(4), 0, Modality="MR"), tmp_path / "c")
    with pytest.raises(InputError, match=r"found 1 CT \(multi-frame without positions\), 1 MR, 1 RTSTRUCT"):
        read_dicom(tmp_path)


def test_the_facts_identify_nobody(tmp_path):
    identity = {"ConvolutionKernel": ["Br38f", "3"], "Manufacturer": "ACME", "KVP": 120, "BurnedInAnnotation": "NO"}
    _, facts = read_dicom(write_series(tmp_path, body((4, 5, 6)), grid_of(4), **identity))
    text = json.dumps(facts)
    assert not any(secret in text for secret in ("Secret", "SECRETID", "1999", "1.2.3"))
    assert (facts["kernel"], facts["manufacturer"], facts["kvp"]) == ("Br38f 3", "ACME", 120.0)
    assert facts["burned_in_annotation"] is False
    assert facts["contrast"] is None


@pytest.mark.parametrize(("agent", "given"), [("Ultravist for Mr Secret", True), ("none", False), ("OHNE", False)])
def test_of_a_contrast_agent_only_whether_it_was_given_is_told(tmp_path, agent, given):
    _, facts = read_dicom(write_series(tmp_path, body((4, 5, 6)), grid_of(4), ContrastBolusAgent=agent))
    assert facts["contrast"] is given
    assert agent not in json.dumps(facts)


@pytest.mark.realdata
@pytest.mark.parametrize("patient", ["STS_002", "STS_003", "STS_008", "STS_019", "STS_025"])
def test_conversion_equals_that_of_another_program(patient):
    volume, _ = read_dicom(real_data(f"sarcoma-dicom/{patient}/CT/image"))
    reference = read_nifti(real_data(f"sarcoma-reference/{patient}/CT_image.nii.gz"))
    np.testing.assert_array_equal(volume.voxels_zyx, reference.voxels_zyx)
    np.testing.assert_allclose(volume.grid.affine, reference.grid.affine, atol=1e-3)


@pytest.mark.realdata
def test_jpeg2000_series_without_uid_lies_on_its_labels():
    volume, facts = read_dicom(real_data("abdomen/ct-dicom-jpeg2000"))
    organs = read_nifti(real_data("abdomen/ct-dicom-organs.nii.gz"))
    assert volume.grid.box_text() == organs.grid.box_text()  # their y axes are opposite
    assert (volume.grid.spacing_xyz_mm[2], facts["slice_thickness_mm"]) == (2.0, 3.0)


@pytest.mark.realdata
def test_damaged_dicom_files_are_named(tmp_path):
    for path in sorted(real_data("bad-inputs/dicom").iterdir()):
        folder = tmp_path / path.stem
        folder.mkdir()
        (folder / path.name).write_bytes(path.read_bytes())
        with pytest.raises(InputError):
            read_dicom(folder)
