"""NRRD and MetaImage files that do not state their voxel size are refused; a missing orientation is told."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.lungs.given import read_lungs
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.scans.text_headers import MOST_HEADER_BYTES, stated_geometry
from ctseg.scans.volume_files import read_layers
from dicom_files import body
from text_volumes import DIRECTIONS, IDENTITY, LPS, write_meta_image, write_nrrd

VOXELS = body((4, 5, 6))
TOLD = "does not state its orientation in the patient"
SIZE = "ElementSpacing = 0.7 0.8 5"


def written(path, *lines):
    return (write_nrrd if path.suffix in (".nrrd", ".nhdr") else write_meta_image)(path, VOXELS, *lines)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.nrrd", []),  # pynrrd.write(path, array)
        ("a.nrrd", [LPS]),
        ("a.nrrd", ["spacings: nan nan nan"]),
        ("a.nrrd", ["spacings: 0.7 0.8 nan"]),
        ("a.nrrd", [LPS, "space directions: (0.7,0,0) (0,0.8,0) none"]),
        ("a.nrrd", ["#spacings: 0.7 0.8 5"]),
        ("a.nrrd", ["spacings:=0.7 0.8 5"]),  # a note of a program
        ("a.nrrd", ["axis mins: 0 0 0", "axis maxs: 4 4 20"]),
        ("a.mha", []),
        ("a.mhd", []),
        ("a.mha", [f"TransformMatrix = {IDENTITY}", "Offset = 1 2 3"]),
        ("a.mha", [f"Comment = {SIZE}"]),
        ("a.mha", ["elementspacing = 0.7 0.8 5"]),
    ],
)
def test_a_scan_without_a_voxel_size_is_refused(tmp_path, name, lines):
    field = "spacings or space directions" if name == "a.nrrd" else "ElementSpacing"
    path = written(tmp_path / name, *lines)
    assert sitk.ReadImage(str(path)).GetSpacing()[2] == 1  # what it would be taken for
    with pytest.raises(InputError, match=rf"{name} does not state its voxel size: .* lacks {field} .*; save it again"):
        read_scan(path)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.nrrd", ["spacings: 0.7 0.8 5"]),
        ("a.nrrd", ["Spacings:  0.7  0.8  5"]),
        ("a.nrrd", ["space: 3D-right-handed", DIRECTIONS]),
        ("a.nrrd", ["space: scanner-xyz", DIRECTIONS]),
        ("a.nrrd", ["space dimension: 3", DIRECTIONS]),
        ("a.mha", [SIZE]),
        ("a.mhd", [SIZE]),
        ("a.mha", ["ElementSize = 0.7 0.8 5"]),
        ("a.mha", ["ElementSize = 1 1 1", SIZE]),
        ("a.mha", ["ElementSpacing: 0.7 0.8 5"]),
        ("a.mha", [SIZE, "AnatomicalOrientation = ???"]),
        ("a.mha", [SIZE, "AnatomicalOrientation = LPI"]),  # ITK reads it as LPS nevertheless
    ],
)
def test_a_scan_without_an_orientation_is_read_and_told(tmp_path, name, lines):
    scan = read_scan(written(tmp_path / name, *lines))
    np.testing.assert_array_equal(scan.volume.voxels_zyx, VOXELS)
    np.testing.assert_allclose(scan.volume.grid.affine[:3, :3], np.diag([0.7, 0.8, 5]), atol=1e-6)
    [told] = scan.facts["warnings"]
    assert TOLD in told
    assert scan.facts["no_patient_space"] is True


@pytest.mark.parametrize(
    ("name", "lines", "signs"),
    [
        ("a.nrrd", [LPS, DIRECTIONS], (1, 1, 1)),
        ("a.nrrd", ["SPACE: LPS", "Space Directions: ( 0.7, 0, 0 )  (0, 0.8, 0)(0,0,5)"], (1, 1, 1)),
        ("a.nrrd", ["space: right anterior superior", "spacedirections" + DIRECTIONS[16:]], (-1, -1, 1)),
        ("a.nrrd", ["space: LAS", DIRECTIONS], (1, -1, 1)),
        ("a.mha", [SIZE, f"TransformMatrix = {IDENTITY}"], (1, 1, 1)),
        ("a.mha", [SIZE, f"Rotation = {IDENTITY}"], (1, 1, 1)),
        ("a.mha", [SIZE, "Orientation = -1 0 0 0 -1 0 0 0 1"], (-1, -1, 1)),
        ("a.mha", [SIZE, "AnatomicalOrientation = RAI"], (1, 1, 1)),
    ],
)
def test_what_is_stated_is_taken_without_a_word(tmp_path, name, lines, signs):
    scan = read_scan(written(tmp_path / name, *lines))
    np.testing.assert_allclose(scan.volume.grid.affine[:3, :3], np.diag(np.multiply(signs, [0.7, 0.8, 5])), atol=1e-6)
    assert scan.facts["warnings"] == []


def test_a_scan_of_luna16_is_taken_without_a_word(tmp_path):
    lines = ["BinaryData = True", "CompressedData = False", f"TransformMatrix = {IDENTITY}"]
    lines += ["Offset = -198.1 -195 -335.2", "CenterOfRotation = 0 0 0", "AnatomicalOrientation = RAI"]
    scan = read_scan(write_meta_image(tmp_path / "a.mhd", VOXELS, *lines, "ElementSpacing = 0.76171875 0.76171875 2.5"))
    assert scan.facts["spacing_xyz_mm"] == [0.761719, 0.761719, 2.5]
    assert scan.facts["warnings"] == []


def test_headers_with_other_ends_of_lines_and_with_voxels_beside_them(tmp_path):
    assert stated_geometry(write_nrrd(tmp_path / "a.nrrd", VOXELS, LPS, DIRECTIONS, end="\r\n")).orientation
    detached = write_nrrd(tmp_path / "b.nhdr", np.zeros((0, 5, 6)), "spacings: 1 1 1", "data file: b.raw")
    assert stated_geometry(detached).voxel_size
    assert not stated_geometry(detached).orientation


def test_only_the_beginning_of_a_file_is_read(tmp_path):
    """A header without an end is no reason to read a whole file into memory."""
    notes = [f"note{number}:={'x' * 1000}" for number in range(MOST_HEADER_BYTES // 1000)]
    assert stated_geometry(write_nrrd(tmp_path / "a.nrrd", VOXELS, LPS, DIRECTIONS, *notes)).voxel_size
    assert not stated_geometry(write_nrrd(tmp_path / "b.nrrd", VOXELS, *notes, LPS, DIRECTIONS)).voxel_size


def test_bytes_of_other_lines_are_no_ends_of_lines(tmp_path):
    odd = f"Comment = \x0c\x85\r{SIZE}"
    assert not stated_geometry(write_meta_image(tmp_path / "a.mha", VOXELS, odd)).voxel_size


def test_layers_have_no_voxel_size(tmp_path):
    layers = np.stack([VOXELS, VOXELS + 1])
    kinds, each = "kinds: list domain domain domain", DIRECTIONS.replace(": ", ": none ")
    found = read_layers(write_nrrd(tmp_path / "a.nrrd", layers, LPS, each, kinds))
    assert [int(layer.voxels_zyx[0, 0, 0]) for layer in found] == [VOXELS[0, 0, 0], VOXELS[0, 0, 0] + 1]
    for lines in (["spacings: nan 0.7 0.8 5"], [LPS, each.replace("none", "(nan,nan,nan)")]):
        assert len(read_layers(write_nrrd(tmp_path / "a.nrrd", layers, *lines, kinds))) == 2
    with pytest.raises(InputError, match=r"a\.nrrd does not state its voxel size"):
        read_layers(write_nrrd(tmp_path / "a.nrrd", layers, kinds))


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_masks_and_lung_fields_without_a_voxel_size_are_refused_with_the_reason(tmp_path, name):
    """Also on a scan with voxels of 1 mm at the origin: the size that ITK invents proves nothing."""
    path = (write_nrrd if name == "a.nrrd" else write_meta_image)(tmp_path / name, VOXELS > 0)
    for size in (1.0, 2.0):
        grid = Grid(VOXELS.shape, (size,) * 3, (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
        for read in (
            lambda grid=grid: read_label(path, LabelSettings({"x": 1}), grid, "image"),
            lambda grid=grid: read_lungs(path, grid, "image"),
        ):
            with pytest.raises(InputError, match=rf"{name} does not state its voxel size"):
                read()


def test_a_mask_without_an_orientation_must_lie_on_its_scan(tmp_path):
    path = write_nrrd(tmp_path / "a.nrrd", VOXELS > 0, "spacings: 0.7 0.8 5")
    origin = sitk.ReadImage(str(path)).GetOrigin()
    grid = Grid(VOXELS.shape, (0.7, 0.8, 5.0), origin, ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    assert read_label(path, LabelSettings({"x": 1}), grid, "image").voxels_zyx.any()
    for other in (replace(grid, spacing_xyz_mm=(0.7, 0.8, 4.9)), replace(grid, origin_xyz_mm=(9.0, 9.0, 9.0))):
        with pytest.raises(InputError, match="do not lie on one grid"):
            read_label(path, LabelSettings({"x": 1}), other, "image")


def test_other_content_under_the_name_is_left_to_its_reader(tmp_path):
    write_nifti(
        Volume(VOXELS, Grid(VOXELS.shape, (1, 1, 1), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))), tmp_path / "a.nii"
    )
    stated = stated_geometry((tmp_path / "a.nii").rename(tmp_path / "a.nrrd"))
    assert (stated.voxel_size, stated.orientation) == (True, True)


@pytest.mark.parametrize(
    ("name", "lines", "unit"),
    [
        ("a.nrrd", [LPS, DIRECTIONS, 'space units: "cm" "cm" "cm"'], "cm"),
        ("a.nrrd", ["spacings: 0.7 0.8 5", 'units: "um" "um" "um"'], "um"),
        ("a.nrrd", [LPS, DIRECTIONS, 'space units: "Meters" "Meters" "Meters"'], "Meters"),
        ("a.mha", [SIZE, "DistanceUnits = cm"], "cm"),
    ],
)
def test_sizes_in_other_units_are_refused(tmp_path, name, lines, unit):
    path = written(tmp_path / name, *lines)
    assert sitk.ReadImage(str(path)).GetSpacing()[2] == 5  # what would be taken for mm
    with pytest.raises(InputError, match=rf"{name} has sizes in {unit}, .*; save it again with sizes in mm"):
        read_scan(path)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.nrrd", [LPS, DIRECTIONS, 'space units: "mm" "mm" "mm"']),
        ("a.nrrd", [LPS, DIRECTIONS, 'space units: "" "???" "MM"']),
        ("a.mha", [SIZE, "DistanceUnits = mm"]),
        ("a.mha", [SIZE, "DistanceUnits = um2"]),
    ],
)
def test_sizes_in_mm_or_unknown_units_are_read(tmp_path, name, lines):
    assert read_scan(written(tmp_path / name, *lines)).volume.grid.spacing_xyz_mm == pytest.approx((0.7, 0.8, 5))
