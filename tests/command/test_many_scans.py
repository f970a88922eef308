"""Several scans with one model: the model is loaded once, results are tabulated, and a bad scan stops no other."""

import csv

import numpy as np
import pytest

from command import ctseg
from ctseg.scans.nifti import read_nifti, write_nifti
from dicom_files import REFERABLE, write_series


@pytest.fixture
def scans(scan, tmp_path):
    """Folder with a scan in a file, a DICOM series, and a file that is no scan."""
    folder = tmp_path / "scans"
    write_nifti(scan[0], folder / "first.nii.gz")
    write_series(folder / "second", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    (folder / "third.nrrd").write_bytes(b"no scan\tat all")
    return folder


def rows_of(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_a_folder_of_scans_gives_results_of_each_and_a_table(model_folder, scans, scan, tmp_path):
    run = ctseg("predict", model_folder / "model.onnx", scans, "-o", tmp_path / "out", "--dicom", tmp_path / "dicom")
    assert run.returncode == 3
    assert "Traceback" not in run.stderr
    assert run.stderr.count("loading") == 1
    first, second, third = rows_of(tmp_path / "out" / "scans.tsv")
    assert [row["result"] for row in (first, second, third)] == ["refused", "done", "refused"]
    assert "--dicom needs a DICOM series" in first["reason"]
    assert "third.nrrd is a file of another format" in third["reason"]
    mask = read_nifti(second["mask"])
    assert float(second["ball_cm3"]) == pytest.approx(mask.voxels_zyx.sum() * 8 / 1000)
    assert sorted(path.name for path in (tmp_path / "dicom" / "second").iterdir()) == [
        "report.dcm",
        "rtstruct.dcm",
        "seg.dcm",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scans.tsv", "second.nii.gz", "second.tsv"]
    assert "1 of 3 scans segmented" in run.stdout
    assert "REFUSED" in run.stdout


def test_each_scan_gets_what_it_gets_alone(model_folder, scans, tmp_path):
    alone = ctseg("predict", model_folder / "model.onnx", scans / "first.nii.gz", "-o", tmp_path / "alone.nii.gz")
    assert alone.returncode == 0, alone.stderr
    both = [scans / "first.nii.gz", scans / "second"]
    run = ctseg("predict", model_folder / "model.onnx", *both, "-o", f"{tmp_path / 'out'}/", "-q")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "first.nii.gz").read_bytes() == (tmp_path / "alone.nii.gz").read_bytes()
    assert (tmp_path / "out" / "first.tsv").read_bytes() == (tmp_path / "alone.tsv").read_bytes()
    first, second = rows_of(tmp_path / "out" / "scans.tsv")
    assert (first["lesions"], first["ball_cm3"]) == (second["lesions"], second["ball_cm3"])
    masks = [read_nifti(row["mask"]).voxels_zyx for row in (first, second)]
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["first.nii.gz", "second", "-o", "out.nii.gz"], "2 scans need a folder as --output"),
        (["first.nii.gz", "-o", "out", "--series-uid", "1.2"], "--series-uid names a series of one scan"),
        ([".", "-o", "out"], "would be written over the scan"),
        (["first.nii.gz", "first.nii.gz", "-o", "../out"], "given twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(model_folder, scans, arguments, words):
    run = ctseg("predict", model_folder / "model.onnx", *arguments, folder=scans)
    assert run.returncode == 1
    assert words in run.stderr
    assert "loading" not in run.stderr


def test_all_refused_is_a_refusal(model_folder, scans, tmp_path):
    run = ctseg("predict", model_folder / "model.onnx", scans / "third.nrrd", "-o", tmp_path / "out")
    assert run.returncode == 1
    [row] = rows_of(tmp_path / "out" / "scans.tsv")
    assert (row["result"], row["mask"]) == ("refused", "")
    assert "third.nrrd" in row["reason"]
