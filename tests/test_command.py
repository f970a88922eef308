"""Command line in a separate process, as a user runs it; `predict` with one scan."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from command import ctseg, with_folders
from ctseg.command.endings import DONE, REFUSED, SOME_REFUSED, STOPPED, UNREAD, USAGE
from ctseg.geometry.volume import Grid
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.version import VERSION
from dicom_files import REFERABLE, write_series
from places import SCRIPTS


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
    assert f"ball: {len(rows)} lesions" in run.stdout
    assert [line.removeprefix("wrote ") for line in run.stdout.splitlines()[1:]] == [
        str(tmp_path / name) for name in ("out.nii.gz", "out.tsv", "out_uncertainty.nii.gz")
    ]
    steps = ("loading", "reading", "segmenting", "measuring", "writing")
    assert [line.split()[1] for line in run.stderr.splitlines() if line.endswith("…")] == list(steps)
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


@pytest.mark.parametrize("program", [["-m", "ctseg", "info", "model.onnx"], [SCRIPTS / "list_series.py", "ct"]])
def test_a_closed_pipe_ends_without_a_word(model_folder, scan, tmp_path, program):
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    (tmp_path / "model.onnx").symlink_to(model_folder / "model.onnx")
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, *program], stdout=writing, stderr=subprocess.PIPE, env=with_folders(SCRIPTS), cwd=tmp_path
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (UNREAD, b"")


def test_a_file_has_no_series_to_refer_to(model_folder, tmp_path):
    run = ctseg(
        "predict", model_folder / "model.onnx", "scan.nii", "-o", tmp_path / "out.nii", "--dicom", tmp_path / "to"
    )
    assert run.returncode == 1
    assert "--dicom needs a DICOM series" in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("scan_name", "arguments"),
    [
        ("scan.nii.gz", ["-o", "scan.nii.gz"]),
        ("scan.nii.gz", ["-o", "link.nii.gz"]),
        ("scan_uncertainty.nii.gz", ["-o", "scan.nii.gz", "--uncertainty"]),
        ("ct", ["-o", "ct/out.nii.gz"]),
        ("ct", ["-o", "out.nii.gz", "--dicom", "ct"]),
        ("ct", ["-o", "out.nii.gz", "--dicom", "ct/results"]),
    ],
)
def test_a_scan_is_never_written_over_nor_added_to(model_folder, tmp_path, scan_name, arguments):
    scan = tmp_path / scan_name
    if scan_name == "ct":
        scan.mkdir()
        scan = scan / "slice"
    scan.write_bytes(b"a scan that cannot be replaced")
    (tmp_path / "link.nii.gz").symlink_to(scan)
    before = sorted(tmp_path.rglob("*"))
    run = ctseg("predict", model_folder / "model.onnx", scan_name, *arguments, folder=tmp_path)
    assert run.returncode == 1
    assert "would be written over the scan" in run.stderr
    assert scan.read_bytes() == b"a scan that cannot be replaced"
    assert sorted(tmp_path.rglob("*")) == before


def test_the_series_that_were_not_taken_are_told(model_folder, scan, tmp_path):
    write_series(tmp_path / "ct" / "long", scan[0].voxels_zyx, scan[0].grid, SeriesInstanceUID="1.2.840.1")
    short = Grid((3, *scan[0].grid.shape_zyx[1:]), scan[0].grid.spacing_xyz_mm, (0.0, 0.0, 0.0), scan[0].grid.direction)
    write_series(tmp_path / "ct" / "short", scan[0].voxels_zyx[:3], short, SeriesInstanceUID="1.2.840.2")
    run = ctseg("predict", model_folder / "model.onnx", tmp_path / "ct", "-o", tmp_path / "out.nii")
    assert run.returncode == 0, run.stderr
    assert "not used: 3 x CT: shorter" in run.stderr


@pytest.mark.parametrize(
    ("model", "scan_name", "output", "message"),
    [
        ("none.onnx", "scan.nii", "out.nii.gz", "none.onnx does not exist"),
        ("model.onnx", "none.nii", "out.nii.gz", "none.nii does not exist"),
        ("model.onnx", "model.onnx", "out.nii.gz", "is not a scan that ctseg reads"),
        ("model.onnx", "scan.nii", "out.png", "should end in .nii.gz or .nii"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(model_folder, tmp_path, model, scan_name, output, message):
    run = ctseg("predict", model_folder / model, model_folder / scan_name, "-o", tmp_path / output, "-q")
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_version_and_the_exit_codes_are_told():
    assert ctseg("--version").stdout == f"ctseg {VERSION}\n"
    for arguments in (["--help"], ["predict", "--help"], ["info", "--help"]):
        told = ctseg(*arguments).stdout
        assert "exit codes:" in told
        for code in (DONE, REFUSED, USAGE, SOME_REFUSED, STOPPED, UNREAD):
            assert f"\n  {code} " in told


@pytest.mark.parametrize("arguments", [[], ["predict"], ["predict", "model.onnx", "scan.nii"], ["segment"]])
def test_a_command_line_that_cannot_be_understood_ends_with_its_code(arguments):
    assert ctseg(*arguments).returncode == USAGE
