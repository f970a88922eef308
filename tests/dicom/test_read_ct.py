"""DICOM series become volumes in HU, at the right place in the world, or are refused with the reason."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ctseg.dicom.header import TAGS
from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from ctseg.geometry.volume import AIR_HU, Grid
from ctseg.scans.nifti import read_nifti
from dicom_files import INTERCEPT, body, ct_slice, write, write_rtstruct, write_series
from real_data import real_data

SPACING = (0.7, 0.9, 2.5)
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def grid_of(shape_zyx: tuple[int, int, int] = (4, 5, 6), **changes) -> Grid:
    return Grid(**{"shape_zyx": shape_zyx, "spacing_xyz_mm": SPACING, "origin_xyz_mm": (-9.0, 4.0, 30.0)} | changes)


def axial(shape_zyx: tuple[int, int, int] = (4, 5, 6)) -> Grid:
    return grid_of(shape_zyx, direction=AXIAL)


def write_stored(folder: Path, stored_zyx: np.ndarray, **elements) -> Path:
    for index, stored in enumerate(stored_zyx):
        write(ct_slice(stored, axial(stored_zyx.shape), index, **elements), folder / f"{index}.dcm")
    return folder


def test_values_and_geometry_survive(tmp_path):
    hu, grid = body((4, 5, 6)), axial()
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
    # Slices are always sorted along their normal, so a grid that runs against it comes back in reverse.
    back = slice(None, None, -1) if flip else slice(None)
    np.testing.assert_array_equal(volume.voxels_zyx, hu[back])
    indices = np.array(list(np.ndindex(shape)))
    places = grid.points_xyz_mm(indices).reshape(*shape, 3)[back].reshape(-1, 3)
    np.testing.assert_allclose(volume.grid.points_xyz_mm(indices), places, atol=1e-5)


def test_each_slice_has_its_own_rescaling(tmp_path):
    grid = axial((2, 5, 6))
    for index, (slope, intercept) in enumerate([(2, -100), (0.5, -1000.25)]):
        stored = np.full((5, 6), 301, np.int16)
        write(ct_slice(stored, grid, index, RescaleSlope=slope, RescaleIntercept=intercept), tmp_path / f"{index}")
    volume, _ = read_dicom(tmp_path)
    assert volume.voxels_zyx[0, 0, 0] == 502
    assert volume.voxels_zyx[1, 0, 0] == -850  # 150.5 − 1000.25 = −849.75


@pytest.mark.parametrize(
    "stored, elements",
    [
        (-2000, {"PixelPaddingValue": ("SS", -2000)}),
        (-2000, {"PixelPaddingValue": ("US", 63536)}),  # a negative value, written as if unsigned
        (3000, {"PixelPaddingValue": ("SS", 2900), "PixelPaddingRangeLimit": ("SS", 3100)}),
        (0, {"PixelPaddingValue": ("SS", 0), "RescaleIntercept": 0}),
        (-5, {}),  # −1029 HU
    ],
)
def test_padding_is_air(tmp_path, stored, elements):
    voxels = np.full((2, 5, 6), 1100, np.int16)
    voxels[:, 0, 0] = stored
    volume, _ = read_dicom(write_stored(tmp_path, voxels, **elements))
    assert (volume.voxels_zyx[:, 0, 0] == AIR_HU).all()
    assert (volume.voxels_zyx[:, 1:] > AIR_HU).all()


@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", "<i2", "<u4", "<i4"])
def test_all_integer_types_are_read(tmp_path, kind):
    stored = np.arange(2 * 5 * 6).reshape(2, 5, 6).astype(kind)
    volume, _ = read_dicom(write_stored(tmp_path, stored, RescaleIntercept=-30))
    np.testing.assert_array_equal(volume.voxels_zyx, stored.astype(int) - 30)


@pytest.mark.parametrize("kind", ["u1", "<u2", "<i2"])
@pytest.mark.parametrize("intercept", [0, -1024, -0.5])
def test_compressed_slices_are_rescaled_and_padded_alike(tmp_path, kind, intercept):
    stored = (np.arange(2 * 32 * 40) % 200).reshape(2, 32, 40).astype(kind)
    padding = ("SS" if kind == "<i2" else "US", 7)
    elements = {"RescaleIntercept": intercept, "PixelPaddingValue": padding}
    plain, _ = read_dicom(write_stored(tmp_path / "plain", stored, **elements))
    for index in range(2):
        dataset = ct_slice(stored[index], axial((2, 32, 40)), index, **elements)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        write(dataset, tmp_path / "rle" / f"{index}")
    volume, facts = read_dicom(tmp_path / "rle")
    np.testing.assert_array_equal(volume.voxels_zyx, plain.voxels_zyx)
    assert volume.voxels_zyx[0, 0, 7] == AIR_HU
    assert facts["transfer_syntax"] == "RLE Lossless"


def test_bits_that_are_not_stored_are_ignored(tmp_path):
    values = np.arange(-30, 30, dtype=np.int16).reshape(2, 5, 6)
    overlay = (values & 0x0FFF) | 0x5000  # a 12-bit number below four bits of something else
    elements = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0}
    volume, _ = read_dicom(write_stored(tmp_path / "low", overlay.astype(np.int16), **elements))
    np.testing.assert_array_equal(volume.voxels_zyx, values)
    volume, _ = read_dicom(write_stored(tmp_path / "high", values << 4, **(elements | {"HighBit": 15})))
    np.testing.assert_array_equal(volume.voxels_zyx, values)


def test_values_beyond_int16_are_clipped(tmp_path):
    stored = np.full((2, 5, 6), 60000, np.uint16)
    volume, _ = read_dicom(write_stored(tmp_path, stored))
    assert (volume.voxels_zyx == 32767).all()


def test_a_grid_is_found_below_other_files(tmp_path):
    hu = body((4, 5, 6))
    write_series(tmp_path / "a" / "b", hu, axial())
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "a" / ".hidden.dcm").write_bytes(b"")
    write_rtstruct(tmp_path / "RS.dcm", {"GTV": []})
    write(ct_slice(hu[0].astype(np.int16), axial(), 0, Modality=None), tmp_path / "DICOMDIR")
    volume, _ = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)


def test_localizers_screenshots_and_single_images_are_passed_over(tmp_path):
    hu, stored = body((4, 5, 6)), np.zeros((9, 9), np.int16)
    write_series(tmp_path / "scan", hu, axial())
    for index in range(6):
        scout = ct_slice(stored, axial(), index, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        write(scout, tmp_path / "scan" / f"scout{index}")
    for index in range(8):
        shot = ct_slice(stored, axial(), index, SeriesInstanceUID="1.5", SamplesPerPixel=3, ImagePositionPatient=None)
        write(shot, tmp_path / f"shot{index}")
    write(ct_slice(stored, axial(), 0, SeriesInstanceUID="1.6"), tmp_path / "one")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    reasons = {other["reason"] for other in facts["series"]["others"]}
    assert reasons == {"a localizer", "a picture in colour", "a single image"}


def test_an_equal_duplicate_is_dropped_and_a_different_one_refused(tmp_path):
    hu, grid = body((4, 5, 6)), axial()
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
    write_series(tmp_path, body((4, 5, 6)), axial())
    write(ct_slice(np.zeros((5, 6), np.uint16), axial(), 4, **elements), tmp_path / "odd.dcm")
    with pytest.raises(InputError, match=message):
        read_dicom(tmp_path)


@pytest.mark.parametrize("bytes_left", [0, 100, 140, 200, 400, 700, -50, -1])
def test_a_cut_file_is_named_wherever_the_cut_is(tmp_path, bytes_left):
    write_series(tmp_path, body((4, 5, 6)), axial())
    path = write(ct_slice(np.zeros((5, 6), np.uint16), axial(), 4), tmp_path / "cut.dcm")
    path.write_bytes(path.read_bytes()[:bytes_left])
    with pytest.raises(InputError, match=r"cut\.dcm"):
        read_dicom(tmp_path)


def test_folders_without_a_scan(tmp_path):
    with pytest.raises(InputError, match="no DICOM file in it"):
        read_dicom(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        read_dicom(tmp_path / "missing")
    write_rtstruct(tmp_path / "a", {})
    write(ct_slice(np.zeros((5, 6), np.uint16), axial(), 0, NumberOfFrames=3), tmp_path / "b")
    write(ct_slice(np.zeros((5, 6), np.uint16), axial(), 0, Modality="MR"), tmp_path / "c")
    with pytest.raises(InputError, match=r"found 1 CT \(multi-frame without positions\), 1 MR, 1 RTSTRUCT"):
        read_dicom(tmp_path)


def test_the_facts_identify_nobody(tmp_path):
    identity = {"ConvolutionKernel": ["Br38f", "3"], "Manufacturer": "ACME", "KVP": 120, "BurnedInAnnotation": "NO"}
    _, facts = read_dicom(write_series(tmp_path, body((4, 5, 6)), axial(), **identity))
    text = json.dumps(facts)
    assert not any(secret in text for secret in ("Secret", "SECRETID", "1999", "1.2.3"))
    assert (facts["kernel"], facts["manufacturer"], facts["kvp"]) == ("Br38f 3", "ACME", 120.0)
    assert facts["burned_in_annotation"] is False
    about_patients = {tag for tag in TAGS if "Patient" in tag}
    assert about_patients == {"ImageOrientationPatient", "ImagePositionPatient", "PatientPosition"}
    words = ("Date", "Time", "Institution", "Physician", "Comment", "Description", "Operator", "Station")
    assert {tag for tag in TAGS if any(word in tag for word in words)} == {"TriggerTime"}  # ms since the heart beat


REFERENCE = "dicom-quirks/syntaxes/CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm"
LOSSLESS = ["LittleEndianImplicit", "BigEndian", "Deflated", "JPEG2000Lossless", "JPEGLSLossless", "JPEGProcess14T"]
LOSSLESS += ["JPEGProcess14SV1", "RLELossless"]
LOSSY_HU = {"JPEG2000T": 5, "JPEGLSLossy": 1, "Process10_12": 36, "Process2_4": 36, "Process6_8": 36, "Process1T": 65}


def slice_twice(path: Path, folder: Path) -> np.ndarray:
    """The HU of a real slice, read as the first of a stack of two."""
    folder.mkdir(exist_ok=True)
    for index in range(2):
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient[2] += index * 5.0
        dataset.save_as(folder / f"{index}")
    return read_dicom(folder)[0].voxels_zyx[0]


@pytest.mark.realdata
@pytest.mark.parametrize("syntax", LOSSLESS + list(LOSSY_HU))
def test_transfer_syntaxes(tmp_path, syntax):
    reference = slice_twice(real_data(REFERENCE), tmp_path / "reference").astype(int)
    (path,) = real_data("dicom-quirks/syntaxes").glob(f"*{syntax}*")
    difference = np.abs(slice_twice(path, tmp_path / "read") - reference)
    assert difference.max() <= LOSSY_HU.get(syntax, 0)
    if syntax not in LOSSY_HU:
        assert reference.min() == AIR_HU


@pytest.mark.realdata
@pytest.mark.parametrize("image", ["CT1", "CT2"])
@pytest.mark.parametrize("syntax", ["J2KR", "JLSL", "JPLL", "RLE", "J2KI", "JLSN"])
def test_images_of_the_standards_working_group(tmp_path, syntax, image):
    folder = real_data("dicom-quirks/syntaxes-wg04")
    plain = zstandard.ZstdDecompressor().stream_reader((folder / "REF" / f"{image}_UNC.zst").read_bytes()).read()
    (tmp_path / "plain").write_bytes(plain)
    reference = slice_twice(tmp_path / "plain", tmp_path / "reference").astype(int)
    read = slice_twice(folder / syntax / f"{image}_{syntax}", tmp_path / "read")
    assert reference.std() > 100
    if syntax in ("J2KI", "JLSN"):  # with loss
        assert not np.array_equal(read, reference)
        assert np.corrcoef(read.ravel(), reference.ravel())[0, 1] > 0.99
    else:
        np.testing.assert_array_equal(read, reference)


@pytest.mark.realdata
def test_compressed_files_that_are_cut_are_named(tmp_path):
    (path,) = real_data("dicom-quirks/syntaxes").glob("*RLELossless*")
    slice_twice(path, tmp_path)
    content = (tmp_path / "1").read_bytes()
    (tmp_path / "1").write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(InputError, match=r"1 cannot be decoded \(RLE Lossless\)"):
        read_dicom(tmp_path)


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
    assert volume.grid.box_text() == organs.grid.box_text()  # their y axes run against each other
    assert (volume.grid.spacing_xyz_mm[2], facts["slice_thickness_mm"]) == (2.0, 3.0)


@pytest.mark.realdata
def test_damaged_dicom_files_are_named(tmp_path):
    for path in sorted(real_data("bad-inputs/dicom").iterdir()):
        folder = tmp_path / path.stem
        folder.mkdir()
        (folder / path.name).write_bytes(path.read_bytes())
        with pytest.raises(InputError):
            read_dicom(folder)
