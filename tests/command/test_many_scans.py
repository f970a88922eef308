"""Several scans with one model: the model is loaded once, results are tabulated, and a bad scan stops no other."""

import csv
import errno
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from command import ctseg, with_folders
from ctseg.command import many_scans
from ctseg.command.many_scans import segment_scans
from ctseg.command.one_scan import Found
from ctseg.command.outputs import outputs_of
from ctseg.command.progress import Progress
from ctseg.scans.nifti import read_nifti, write_nifti
from dicom_files import REFERABLE, write_series
from places import SCRIPTS


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
        (["first.nii.gz", "-o", "third.nrrd/out"], "is a file, and"),
        (["second", "-o", "../out", "--dicom", "first.nii.gz"], "is a file, and"),
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


FOUND = Found({"ball": 1}, {"ball": 1.0}, [], [])


def segmented(folder, monkeypatch, *outcomes):
    """Segment a scan for each outcome, a `Found` or an error; return the reasons after each scan, and the last error.

    `outcomes` are functions that get the path of their scan.
    """
    left = iter(outcomes)
    monkeypatch.setattr(many_scans, "segment_scan", lambda scan, *_: next(left)(scan))
    names = [f"scan{number}" for number in range(len(outcomes))]
    outputs = [outputs_of(folder / "out" / f"{name}.nii.gz", False, False, None) for name in names]
    scans = {name: (folder / f"{name}.nii", each) for name, each in zip(names, outputs, strict=True)}
    engine, kept, stopped = SimpleNamespace(release_memory=lambda: None), [], None
    try:
        segment_scans(
            scans, engine, None, Progress(True), lambda results: kept.append([result.reason for result in results])
        )
    except BaseException as error:
        stopped = error
    return kept, stopped


def done(_):
    return FOUND


def raising(error):
    def outcome(scan):
        raise error(scan)

    return outcome


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "no", "/o")])
def test_what_ends_a_run_leaves_the_results_so_far(tmp_path, monkeypatch, capsys, end):
    kept, stopped = segmented(tmp_path, monkeypatch, done, done, raising(lambda _: end), done)
    assert (kept, stopped) == ([[""], ["", ""]], end)
    assert "Traceback" not in capsys.readouterr().err


def test_a_scan_that_must_not_be_read_stops_no_other(tmp_path, monkeypatch, capsys):
    denied = raising(lambda scan: OSError(errno.EACCES, "denied", str(scan / "slice")))
    kept, stopped = segmented(tmp_path, monkeypatch, denied, done)
    assert stopped is None
    assert kept[1][0].startswith(f"{tmp_path / 'scan0.nii' / 'slice'}: permission is denied")
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_is_told_and_stops_no_other(tmp_path, monkeypatch, capsys):
    kept, stopped = segmented(tmp_path, monkeypatch, raising(ValueError), raising(lambda _: MemoryError()), done)
    assert stopped is None
    assert kept[2][0] == "the scan could not be processed (ValueError); please report this"
    assert "free memory" in kept[2][1]
    assert capsys.readouterr().err.count("Traceback") == 1


def test_a_later_run_into_the_same_folder_keeps_the_earlier_rows(model_folder, scans, tmp_path):
    for given in (["first.nii.gz"], ["second", "third.nrrd"], ["first.nii.gz"]):
        ctseg("predict", model_folder / "model.onnx", *given, "-o", tmp_path / "out", "-q", folder=scans)
    rows = rows_of(tmp_path / "out" / "scans.tsv")
    assert [(row["name"], row["result"]) for row in rows] == [
        ("second", "done"),
        ("third", "refused"),
        ("first", "done"),
    ]


def test_names_that_are_not_utf8_are_told_with_escapes(model_folder, scans, tmp_path):
    for name in ("first.nii.gz", "third.nrrd"):
        (scans / name).rename(scans / (os.fsdecode("肝".encode("gbk")) + name))
    command = [sys.executable, "-m", "ctseg", "predict", model_folder / "model.onnx", scans, "-o", tmp_path / "out"]
    env = with_folders(SCRIPTS, PYTHONIOENCODING="utf-8:strict")
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert run.returncode == 3, run.stderr
    assert "Traceback" not in run.stderr
    assert "2 of 3 scans segmented" in run.stdout
    rows = {row["name"]: row for row in rows_of(tmp_path / "out" / "scans.tsv")}
    assert rows["\\udcb8\\udccefirst"]["result"] == "done"
    assert "is not UTF-8 text; rename the file" in rows["\\udcb8\\udccethird"]["reason"]


def test_a_series_that_no_object_can_refer_to_is_refused_before_it_is_segmented(model_folder, scans, scan, tmp_path):
    shutil.rmtree(scans / "second")
    series = write_series(scans / "second", scan[0].voxels_zyx, scan[0].grid, StudyInstanceUID="1.2.3.4")
    given = ["predict", model_folder / "model.onnx", series, "--dicom", tmp_path / "dicom", "-o"]
    for output in ("out", "alone.nii.gz"):
        run = ctseg(*given, tmp_path / output)
        assert run.returncode == 1, run.stderr
        assert "lack their FrameOfReferenceUID" in run.stderr
        assert "segmenting" not in run.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scans.tsv"]
    assert not (tmp_path / "dicom").exists()
    assert not (tmp_path / "alone.nii.gz").exists()
