"""Paths of results, and protection of existing files."""

import errno
from pathlib import Path

import pytest

from ctseg.command.outputs import is_folder, outputs_of, refuse_overwriting, refuse_same, try_writing
from ctseg.errors import InputError


def test_everything_lies_beside_the_mask_but_dicom_objects():
    found = outputs_of(Path("out/a.nii.gz"), True, True, Path("dicom"))
    assert list(map(str, found.paths)) == [
        "out/a.nii.gz",
        "out/a.tsv",
        "out/a_uncertainty.nii.gz",
        "out/a_stability.tsv",
        "dicom",
    ]
    assert list(map(str, outputs_of(Path("a.nii"), False, False, None).paths)) == ["a.nii", "a.tsv"]


@pytest.mark.parametrize(("output", "folder"), [("out/", True), ("out", True), ("a.nii.gz", False), ("a.png", False)])
def test_an_output_is_a_folder_by_its_name(output, folder):
    assert is_folder(output) == folder


def test_an_output_that_is_there_is_what_it_is(tmp_path):
    (tmp_path / "run.1").mkdir()
    assert is_folder(str(tmp_path / "run.1"))


def test_a_name_that_says_no_format_is_refused():
    with pytest.raises(InputError, match="should end in"):
        outputs_of(Path("a.png"), False, False, None)


def test_nothing_is_written_over_or_into_a_scan(tmp_path):
    refuse_overwriting(tmp_path / "scan", [tmp_path / "scan.nii.gz"])
    with pytest.raises(InputError, match="would be written over"):
        refuse_overwriting(tmp_path / "scan", [tmp_path / "scan" / "deep" / "out.nii.gz"])


def test_two_results_of_one_name_are_refused():
    outputs = [outputs_of(Path(f"out/{name}.nii.gz"), False, False, None) for name in ("a", "scans")]
    refuse_same(outputs, Path("out/all.tsv"))
    with pytest.raises(InputError, match=r"out/scans\.tsv would be written twice"):
        refuse_same(outputs, Path("out/scans.tsv"))


def test_files_are_those_that_a_scan_gets():
    files = outputs_of(Path("a.nii"), False, False, Path("dicom")).files
    assert list(map(str, files)) == ["a.nii", "a.tsv", "dicom/seg.dcm", "dicom/rtstruct.dcm", "dicom/report.dcm"]


def test_a_trial_leaves_nothing(tmp_path):
    (tmp_path / "a.nii").write_text("former")
    try_writing([tmp_path / "a.nii", tmp_path / "new" / "deep" / "b.nii"])
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.nii", "former")]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("file/a.nii", "file is a file, and"),
        ("file/deep/a.nii", "file is a file, and"),
        ("folder", "folder is a folder, and the output is a file"),
        ("a" * 250 + ".nii", "cannot be written (File name too long)"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(tmp_path, output, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError) as caught:
        try_writing([tmp_path / "good.nii", tmp_path / output])
    assert words in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "permission is denied")]
)
def test_a_machine_that_refuses_is_told_with_the_output(tmp_path, monkeypatch, number, words):
    def refuse(path, _):
        raise OSError(number, "refused", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(InputError) as caught:
        try_writing([tmp_path / "a.nii"])
    assert str(caught.value).startswith(f"{tmp_path / 'a.nii'}: {words}")
