"""`python -m ctseg predict`, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ctseg.labels import LabelSettings, read_label
from ctseg.volume import read_nifti, write_nifti
from dicom_files import REFERABLE, write_series

SCRIPTS = Path(__file__).resolve().parents[1] / "workflow_scripts"


def ctseg(*arguments):
    command = [sys.executable, "-m", "ctseg", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_scan_and_a_model_give_a_segmentation_and_its_components(model_folder, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    run = ctseg(
        "predict", model_folder / "model.onnx", tmp_path / "scan.nii.gz", "-o", tmp_path / "out.nii.gz", "--uncertainty"
    )
    assert run.returncode == 0, run.stderr
    found = read_nifti(tmp_path / "out.nii.gz")
    assert found.grid.matches(scan[0].grid)
    assert 2 * np.count_nonzero(found.voxels_zyx & scan[1]) / (found.voxels_zyx.sum() + scan[1].sum()) > 0.9
    rows = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert rows["voxels"].sum() == found.voxels_zyx.sum()
    assert rows["mean_entropy_bits"].between(0, 1).all()
    assert f"{len(rows)} components" in run.stdout
    assert read_nifti(tmp_path / "out_uncertainty.nii.gz").voxels_zyx.any()


def test_a_series_gives_dicom_objects(model_folder, scan, tmp_path):
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    run = ctseg(
        "predict", model_folder / "model.onnx", tmp_path / "ct", "-o", tmp_path / "out.nii", "--dicom", tmp_path / "to"
    )
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["report.dcm", "rtstruct.dcm", "seg.dcm"]
    mask = read_nifti(tmp_path / "out.nii")
    found = read_label(tmp_path / "to" / "seg.dcm", LabelSettings({"ball": 1}), mask.grid, "scan")
    np.testing.assert_array_equal(found.voxels_zyx, mask.voxels_zyx)


def test_a_file_has_no_series_to_refer_to(model_folder, tmp_path):
    run = ctseg(
        "predict", model_folder / "model.onnx", "scan.nii", "-o", tmp_path / "out.nii", "--dicom", tmp_path / "to"
    )
    assert run.returncode == 1
    assert "--dicom needs a DICOM series" in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "scan_name", "output", "message"),
    [
        ("none.onnx", "scan.nii", "out.nii.gz", "none.onnx does not exist"),
        ("model.onnx", "none.nii", "out.nii.gz", "none.nii does not exist"),
        ("model.onnx", "model.onnx", "out.nii.gz", "is no scan that ctseg reads"),
        ("model.onnx", "scan.nii", "out.png", "should end in .nii.gz or .nii"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(model_folder, tmp_path, model, scan_name, output, message):
    run = ctseg("predict", model_folder / model, model_folder / scan_name, "-o", tmp_path / output)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
