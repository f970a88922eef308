"""Records of the inputs and outputs of a job: hashes, and no patient names."""

import json
from pathlib import Path

import pytest

from ctseg.provenance.job_records import (
    PLAIN_NAME,
    describe,
    lineage,
    now,
    paths_of,
    record_path,
    relative,
    study_folder,
    timeless,
    without_sources,
    write_records,
)
from jobs import handed_over


def test_a_folder_is_hashed_by_its_contents_alone(tmp_path):
    for folder, names in (("one", "ab"), ("two", "yx")):
        (tmp_path / folder / "deeper").mkdir(parents=True)
        (tmp_path / folder / names[0]).write_text("first")
        (tmp_path / folder / "deeper" / names[1]).write_text("second")
    (tmp_path / "two" / ".hidden").write_text("of a file browser")
    one, two = describe(tmp_path / "one"), describe(tmp_path / "two")
    assert one == two == {"sha256": one["sha256"], "bytes": 11, "files": 2}
    (tmp_path / "two" / "deeper" / "x").write_text("other")
    assert describe(tmp_path / "two")["sha256"] != one["sha256"]


STUDY = Path("results/study")


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("data/Doe/scan is cut", "<scan> is cut"),
        ("data/Doe/label.nii and results/study/x.nii", "<label> and results/study/x.nii"),
        ("series 1.2.840.113619.2.55 of 1.2.3", "series <uid> of 1.2.3"),
    ],
)
def test_a_message_keeps_no_path_of_the_user_and_no_uid(message, kept):
    inputs = {"scan": "data/Doe/scan", "label": ["data/Doe/label.nii"], "model": "results/study/model.onnx"}
    assert without_sources(message, inputs) == kept


def test_names_of_files_are_kept_where_they_say_nothing(tmp_path):
    for name in ("IM_0012.dcm", "Doe.dcm", "deeper/Zoë Li/1-01.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    told = "IM_0012.dcm and Doe.dcm in Zoë Li, 1-01.dcm, Doe.dcmx"
    found = without_sources(told, {"scan": str(tmp_path)}, file_names=True)
    assert found == "IM_0012.dcm and <file> in <file>, 1-01.dcm, Doe.dcmx"


@pytest.mark.parametrize("name", ["IM1", "slice12", "1-01.dcm", "rs.dcm", "CT_0001.nii.gz", "0042"])
def test_plain_names(name):
    assert PLAIN_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["Doe", "19560817.dcm", "00123456", "CT Doe.dcm", "im1a.dcm"])
def test_names_that_may_be_a_patients(name):
    assert not PLAIN_NAME.fullmatch(name)


def test_paths_of_a_study():
    assert paths_of("a") == ["a"]
    assert paths_of(("a", "b")) == ["a", "b"]
    assert study_folder("results/study/logs/infer/a.log") == STUDY
    assert relative(["results/study/b", "data/x", "results/study/a/c", "results/other/d"], STUDY) == ["a/c", "b"]
    assert record_path(STUDY, "images/a.nii.gz") == STUDY / "provenance/files/images/a.nii.gz.json"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Study folder with the records of three jobs: conversion of a scan, training on it, and report on both."""
    monkeypatch.chdir(tmp_path)
    for rule, inputs, output in (
        ("convert", ["data/scan.nii"], "image.nii"),
        ("train", ["results/study/image.nii"], "model.onnx"),
        ("report", ["results/study/image.nii", "results/study/model.onnx"], "report.html"),
    ):
        for path in (*inputs, f"results/study/{output}"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(path)
        job = handed_over(rule, {"from": "data/scan.nii"}, {"scan": inputs}, {"made": f"results/study/{output}"})
        write_records(job, now())
    return STUDY


def test_a_record_tells_what_was_read_and_written(recorded):
    record = json.loads(record_path(STUDY, "image.nii").read_text())
    assert record["sources"] == {"scan": [describe("data/scan.nii")]}
    assert record["outputs"] == {"image.nii": describe(STUDY / "image.nii")}
    assert (record["inputs"], record["params"]) == ([], {"from": "<scan>"})
    assert json.loads(record_path(STUDY, "model.onnx").read_text())["inputs"] == ["image.nii"]
    assert "numpy" in record["software"]
    assert set(record["machine"]) == {"processor", "cores", "gpus"}


def test_all_jobs_that_led_to_a_result_are_found_once(recorded):
    assert [record["rule"] for record in lineage(STUDY, ["report.html"])] == ["convert", "train", "report"]
    assert [record["rule"] for record in lineage(STUDY, ["image.nii"])] == ["convert"]
    record_path(STUDY, "model.onnx").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        lineage(STUDY, ["report.html"])
    assert caught.value.filename == "model.onnx"


def test_a_job_without_outputs_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_records(handed_over("verify", {}, {}, {}), now())
    assert not list(tmp_path.rglob("*.json"))


def test_what_is_timeless_is_the_same_on_another_machine(recorded):
    first, second = (json.loads(record_path(STUDY, "model.onnx").read_text()) for _ in range(2))
    second |= {"started": "later", "ended": "later", "threads": 64, "machine": {"cores": 64}}
    assert first != second
    assert timeless(first) == timeless(second)
    assert timeless(first)["code"] == "0123"
