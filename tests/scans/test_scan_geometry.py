"""Sizes are read in their unit and must be possible; missing information in headers is reported."""

import gzip
import lzma
import shutil
import zipfile

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from command import ctseg
from ctseg.errors import InputError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import to_sitk
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.lungs.given import read_lungs
from ctseg.scans.nifti import read_nifti, read_nifti_grid, write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import body, write_series

SHAPE = (6, 7, 8)
AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid(SHAPE, (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), AXES)


def in_unit(path, unit, factor, version=1, voxels=None):
    """Write a NIfTI file with all sizes in a unit of 1 / `factor` mm."""
    affine = np.diag([-1, -1, 1, 1]) @ GRID.affine
    affine[:3] *= factor
    kind = nib.Nifti2Image if version == 2 else nib.Nifti1Image
    voxels = body(SHAPE) if voxels is None else voxels
    image = kind(voxels.T, affine, dtype=voxels.dtype)
    image.header.set_xyzt_units(unit, "sec")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 1e3), ("meter", 1e-3), ("unknown", 1)])
def test_scans_labels_and_lungs_are_read_in_the_units_of_their_headers(tmp_path, unit, factor, suffix, version):
    scan = read_scan(in_unit(tmp_path / f"a{suffix}", unit, factor, version))
    assert scan.volume.grid.matches(GRID, 1e-3)
    assert read_nifti_grid(tmp_path / f"a{suffix}").matches(GRID, 1e-3)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, body(SHAPE))
    assert scan.facts["warnings"] == []
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 2:5, 3:6] = 1
    label = in_unit(tmp_path / f"label{suffix}", unit, factor, version, mask)
    assert read_label(label, LabelSettings({"a": 1}), GRID, "image").voxels_zyx.sum() == mask.sum()
    assert read_lungs(label, GRID, "image").voxels_zyx.sum() == mask.sum()


IMPOSSIBLE = [(1e-3, 1e-3, 2e-3), (1000, 1000, 2000), (0.7, 0.7, 60), (0.7, 0.7, 0.001), (0.005, 0.7, 2)]


@pytest.mark.parametrize("spacing", IMPOSSIBLE)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha", "dicom"])
def test_voxels_that_no_ct_has_are_refused_with_their_size(tmp_path, spacing, name):
    volume = Volume(body(SHAPE), Grid(SHAPE, spacing, (0.0, 0.0, 0.0), AXES))
    if name == "dicom":
        write_series(tmp_path / name, volume.voxels_zyx, volume.grid)
    elif name == "a.nii.gz":
        write_nifti(volume, tmp_path / name)
    else:
        sitk.WriteImage(to_sitk(volume), str(tmp_path / name))
    size = " x ".join(f"{value:.3g}" for value in spacing).replace("+", r"\+")
    said = rf"{name} has voxels of {size} mm, which no CT has \(0\.01 to 50 mm\)"
    if name == "dicom":
        said += "|has pixels of .* mm, which no CT has|its 6 slices all lie at one position"
    with pytest.raises(InputError, match=said):
        read_scan(tmp_path / name)
    if name != "dicom":
        with pytest.raises(InputError, match="which no CT has"):
            read_label(tmp_path / name, LabelSettings({"a": 1}), volume.grid, "image")


@pytest.mark.parametrize("spacing", [(0.02, 0.02, 0.02), (5, 5, 10), (0.3, 0.3, 45)])
def test_voxels_of_micro_ct_and_overviews_are_read(tmp_path, spacing):
    write_nifti(Volume(body(SHAPE), Grid(SHAPE, spacing, (0.0, 0.0, 0.0), AXES)), tmp_path / "a.nii")
    assert read_scan(tmp_path / "a.nii").facts["spacing_xyz_mm"] == pytest.approx(spacing)


@pytest.mark.parametrize(("shape", "spacing"), [((600, 8, 8), (1, 1, 8)), ((8, 300, 300), (10, 10, 3))])
def test_an_extent_that_no_ct_has_is_refused(tmp_path, shape, spacing):
    write_nifti(Volume(body(shape), Grid(shape, spacing, (0.0, 0.0, 0.0), AXES)), tmp_path / "a.nii")
    with pytest.raises(InputError, match="more than any CT"):
        read_scan(tmp_path / "a.nii")


def test_a_file_that_does_not_say_how_it_lies_is_told(tmp_path):
    image = nib.Nifti1Image(body(SHAPE).T, np.diag([-0.7, 0.7, 2.5, 1]), dtype=np.int16)
    for codes, told in (((0, 0), True), ((1, 0), False), ((0, 1), False), ((2, 4), False)):
        image.set_sform(image.affine, codes[0])
        image.set_qform(image.affine, codes[1])
        nib.save(image, tmp_path / "a.nii.gz")
        warnings = read_scan(tmp_path / "a.nii.gz").facts["warnings"]
        assert [("sform and qform have the code 0" in text) for text in warnings] == ([True] if told else [])
        if told:
            direction = np.asarray(read_nifti(tmp_path / "a.nii.gz").grid.direction)
            np.testing.assert_array_equal(direction, np.diag([1, -1, 1]))  # axes to the left, the front and the head


def test_sform_and_qform_are_compared_in_mm(tmp_path):
    image = nib.load(in_unit(tmp_path / "a.nii", "micron", 1e3))
    moved = image.affine.copy()
    moved[0, 3] += 5000
    image.set_qform(moved, 1)
    nib.save(image, tmp_path / "b.nii")
    assert read_scan(tmp_path / "b.nii").facts["qform_off_mm"] == pytest.approx(5, abs=1e-2)


@pytest.mark.parametrize("stored", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("named", ["b.nii", "b.nii.gz", "B.NII", "B.NII.GZ"])
def test_content_and_not_the_suffix_tells_compression(tmp_path, stored, named):
    write_nifti(Volume(body(SHAPE), GRID), tmp_path / stored)
    shutil.move(tmp_path / stored, tmp_path / named)
    np.testing.assert_array_equal(read_scan(tmp_path / named).volume.voxels_zyx, body(SHAPE))


def test_other_formats_under_the_name_of_nifti_are_told_in_words(tmp_path):
    volume = Volume(body(SHAPE), GRID)
    write_nifti(volume, tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    with zipfile.ZipFile(tmp_path / "zip.nii.gz", "w") as archive:
        archive.writestr("a.nii", content)
    (tmp_path / "xz.nii.gz").write_bytes(lzma.compress(content))
    sitk.WriteImage(to_sitk(volume), str(tmp_path / "a.nrrd"))
    shutil.copy(tmp_path / "a.nrrd", tmp_path / "nrrd.nii")
    shutil.copy(next(write_series(tmp_path / "ct", volume.voxels_zyx, GRID).iterdir()), tmp_path / "dicom.nii")
    for name, words in {
        "zip.nii.gz": "a zip archive",
        "xz.nii.gz": "compressed with xz",
        "nrrd.nii": "a NRRD file",
        "dicom.nii": "a DICOM file",
    }.items():
        with pytest.raises(InputError, match=f"{name} is {words}, but its name says NIfTI"):
            read_scan(tmp_path / name)
    (tmp_path / "twice.nii.gz").write_bytes(gzip.compress(gzip.compress(content)))
    with pytest.raises(InputError, match=r"twice\.nii\.gz cannot be read as NIfTI"):
        read_scan(tmp_path / "twice.nii.gz")


def huge(path, shape_xyz):
    """Write a .nii.gz with the header of a volume that is too large for any memory."""
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    content = bytearray(image.to_bytes())
    content[40:56] = np.array([3, *shape_xyz, 1, 1, 1, 1], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    return path


def test_a_scan_that_no_machine_holds_is_refused_before_memory_is_taken(tmp_path, model_folder):
    path = huge(tmp_path / "a.nii.gz", (32767, 32767, 32767))
    with pytest.raises(InputError, match=r"a volume of 65530\.0 GiB does not fit into memory"):
        read_scan(path)
    run = ctseg("predict", model_folder / "model.onnx", path, "-o", tmp_path / "out.nii")
    assert run.returncode == 1
    assert "\nctseg: a volume of 65530.0 GiB does not fit" in run.stderr
    assert "Traceback" not in run.stderr


def test_memory_is_asked_for_where_the_disk_has_no_room(monkeypatch):
    monkeypatch.setattr(mapped_arrays, "LARGE_BYTES", 4096)

    def full(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(mapped_arrays.os, "posix_fallocate", full)
    assert mapped_arrays.zeros((40, 30, 20), np.int16).shape == (40, 30, 20)
    with pytest.raises(InputError, match=r"of which .* GiB are free, nor into the folder of TMPDIR"):
        mapped_arrays.zeros((2**20, 2**20), np.int16)
