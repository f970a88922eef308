"""Scans of any accepted format become int16 HU at the correct position, or are rejected in one sentence."""

import gzip
import json
import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from ctseg.errors import InputError
from ctseg.files import read_json
from ctseg.geometry.resample import to_sitk
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan, to_hu
from dicom_files import body, ct_slice, write, write_series
from jobs import LOG, handed_over
from places import ROOT
from real_data import real_data

ROTATED = ((0.0, -0.6, -0.8), (-1.0, 0.0, 0.0), (0.0, 0.8, -0.6))
GRID = Grid((4, 5, 6), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ROTATED)


def save(path: Path, volume: Volume) -> Path:
    if path.name.endswith((".nii", ".nii.gz")):
        write_nifti(volume, path)
    else:
        sitk.WriteImage(to_sitk(volume), str(path))
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "A.NRRD"])
@pytest.mark.parametrize("direction", [ROTATED, tuple(zip(*np.diag([1.0, -1.0, 1.0]).tolist(), strict=True))])
def test_formats_agree_and_keep_the_order_of_the_voxels(tmp_path, name, direction):
    grid = Grid((4, 5, 6), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), direction)
    scan = read_scan(save(tmp_path / name, Volume(body((4, 5, 6)), grid)))
    assert scan.volume.voxels_zyx.dtype == np.int16
    np.testing.assert_array_equal(scan.volume.voxels_zyx, body((4, 5, 6)))
    assert scan.volume.grid.matches(grid, 1e-4)
    assert scan.facts["size_xyz"] == [6, 5, 4]
    assert scan.facts["spacing_xyz_mm"] == pytest.approx([0.7, 0.9, 2.5], abs=1e-5)
    assert json.loads(json.dumps(scan.facts)) == scan.facts


def test_dicom_folder_and_its_nifti_are_the_same(tmp_path):
    write_series(tmp_path / "dicom", body((4, 5, 6)), GRID)
    scan = read_scan(tmp_path / "dicom")
    write_nifti(scan.volume, tmp_path / "a.nii.gz")
    again = read_scan(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(again.volume.voxels_zyx, scan.volume.voxels_zyx)
    assert again.volume.grid.matches(scan.volume.grid, 1e-3)
    assert scan.facts["hu_max"] == again.facts["hu_max"] == int(scan.volume.voxels_zyx.max())


def test_a_sheared_file_keeps_its_places_and_reports_its_angle(tmp_path):
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 2.0 * np.tan(np.radians(14))
    scan = read_scan(save(tmp_path / "a.nii", Volume(body((4, 5, 6)), Grid.from_affine(affine, (4, 5, 6)))))
    assert scan.facts["shear_deg"] == 14.0
    np.testing.assert_allclose(scan.volume.grid.affine, affine, atol=1e-6)


def test_a_file_that_says_two_places_is_told(tmp_path):
    path = save(tmp_path / "a.nii", Volume(body((4, 5, 6)), GRID))
    assert read_scan(path).facts["warnings"] == []
    image = nib.load(path)
    moved = image.affine.copy()
    moved[0, 3] += 5
    image.set_qform(moved, code="scanner")
    nib.save(image, tmp_path / "b.nii")
    scan = read_scan(tmp_path / "b.nii")
    assert scan.volume.grid.matches(read_scan(path).volume.grid)
    assert scan.facts["qform_off_mm"] == pytest.approx(5, abs=1e-3)
    assert any("the sform was taken" in warning for warning in scan.facts["warnings"])


@pytest.mark.parametrize(
    "elements, warning",
    [
        ({"BurnedInAnnotation": "YES"}, "burned into the pixels"),
        ({"BodyPartExamined": "HEADNECK"}, "a face can be rebuilt"),
        ({"LossyImageCompression": "01"}, "compressed with loss"),
        ({}, None),
    ],
)
def test_what_a_user_should_know_of_a_series(tmp_path, elements, warning):
    grid = Grid((4, 5, 6), (1, 1, 2), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    warnings = read_scan(write_series(tmp_path, body((4, 5, 6)), grid, **elements)).facts["warnings"]
    assert [warning in text for text in warnings] == ([True] if warning else [])


@pytest.mark.parametrize("rescale_type, fine", [("HU", True), ("US", True), ("MGML", False), ("Z_EFF", False)])
def test_a_map_that_was_computed_from_a_ct_is_refused(tmp_path, rescale_type, fine):
    grid = Grid((4, 5, 6), (1, 1, 2), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    folder = write_series(tmp_path, body((4, 5, 6)), grid, RescaleType=rescale_type)
    if fine:
        read_scan(folder)
    else:
        with pytest.raises(InputError, match=f"holds {rescale_type}, not Hounsfield units"):
            read_scan(folder)


def test_values_become_whole_hu():
    odd = np.array([[[np.nan, -np.inf, np.inf, -3024.0, 0.6, -0.6, 1e9]]])
    np.testing.assert_array_equal(to_hu(odd, "scan")[0, 0], [AIR_HU, AIR_HU, 32767, AIR_HU, 1, -1, 32767])
    np.testing.assert_array_equal(to_hu(np.array([[[0, 255]]], np.uint8), "scan")[0, 0], [0, 255])
    np.testing.assert_array_equal(to_hu(np.array([[[-(2**40), 2**40]]]), "scan")[0, 0], [AIR_HU, 32767])


@pytest.mark.parametrize("kind", [np.complex64, bool])
def test_values_that_are_no_ct_numbers_are_refused(kind):
    with pytest.raises(InputError, match="scan holds values of type"):
        to_hu(np.zeros((2, 2, 2), kind), "scan")


@pytest.mark.parametrize(
    "low, high",
    [
        (0, 255),  # a windowed image
        (0, 4095),  # stored values without the rescale intercept
        (-1024, -500),  # only air
        (-9, 19),  # a statistical map
    ],
)
def test_values_that_cannot_be_hu_are_refused(tmp_path, low, high):
    voxels = np.linspace(low, high, 120).reshape(4, 5, 6).astype(np.int16)
    with pytest.raises(InputError, match=rf"a\.nii holds values from {low} to {high}, .* give the original scan"):
        read_scan(save(tmp_path / "a.nii", Volume(voxels, GRID)))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.98])
def test_cut_files_are_refused(tmp_path, name, share):
    path = save(tmp_path / name, Volume(body((20, 20, 20)), Grid((20, 20, 20), *GRID_REST)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    if name == "a.mhd":
        path.with_suffix(".raw").unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read"):
        read_scan(path)


GRID_REST = ((0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ROTATED)


def test_a_damaged_gzip_stream_is_refused(tmp_path):
    path = save(tmp_path / "a.nii.gz", Volume(body((4, 5, 6)), GRID))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="cannot be read"):
        read_scan(path)
    path.write_bytes(gzip.compress(b"something else" * 100))
    with pytest.raises(InputError, match="cannot be read"):
        read_scan(path)


def test_other_shapes_are_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 2), np.int16), np.eye(4)), tmp_path / "series.nii")
    sitk.WriteImage(sitk.Image([4, 4, 4], sitk.sitkVectorInt16, 3), str(tmp_path / "vectors.nrrd"))
    sitk.WriteImage(sitk.Image([4, 4], sitk.sitkInt16), str(tmp_path / "flat.mha"))
    for name in ("series.nii", "vectors.nrrd", "flat.mha"):
        with pytest.raises(InputError, match=f"{name} holds no single 3-D volume"):
            read_scan(tmp_path / name)


def test_paths_that_are_no_scan(tmp_path):
    one = write(ct_slice(np.zeros((5, 6), np.int16), GRID, 0), tmp_path / "one.dcm")
    with pytest.raises(InputError, match=r"one\.dcm is one file of a DICOM series; give the folder"):
        read_scan(one)
    with pytest.raises(InputError, match=r"one\.png is not a scan .* the folder of a DICOM series"):
        read_scan(one.rename(tmp_path / "one.png"))
    for name in ("missing", "missing.nii.gz", "missing.mha"):
        with pytest.raises(InputError, match=f"{name} does not exist"):
            read_scan(tmp_path / name)


def test_the_script_writes_image_and_facts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_series(tmp_path / "dicom", body((4, 5, 6)), GRID)
    outputs = {"image": "results/study/images/a.nii.gz", "facts": "results/study/images/a.json"}
    settings = {"series_uid": None, "kernels": [], "irregular": "refuse"}
    snakemake = handed_over("convert_image", settings, {"scan": str(tmp_path / "dicom")}, outputs)
    runpy.run_path(str(ROOT / "workflow_scripts" / "convert_image.py"), {"snakemake": snakemake})
    volume = read_nifti(outputs["image"])
    assert volume.voxels_zyx.dtype == np.int16
    assert volume.grid.matches(read_scan(tmp_path / "dicom").volume.grid, 1e-3)
    assert read_json(outputs["facts"])["modality"] == "CT"
    assert "6 x 5 x 4 voxels" in LOG.read_text()


@pytest.mark.realdata
def test_odd_nifti_files_never_crash():
    for path in sorted(real_data("bad-inputs/nifti").rglob("*")):
        if path.is_file():
            with pytest.raises(InputError):
                read_scan(path)


@pytest.mark.realdata
@pytest.mark.parametrize("path", ["chest-nifti/lidc-0001/image.nii.gz", "abdomen/ct.nii.gz"])
def test_real_nifti_is_read_as_it_is(path):
    scan, image = read_scan(real_data(path)), nib.load(real_data(path))
    np.testing.assert_array_equal(scan.volume.voxels_zyx.T, np.maximum(np.asarray(image.dataobj), AIR_HU))
    np.testing.assert_allclose(scan.volume.grid.affine[:2], -image.affine[:2], atol=1e-9)
