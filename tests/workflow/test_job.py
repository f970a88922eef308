import errno
import hashlib
import json
import logging
import re
from pathlib import Path

import pytest
from snakemake.iocontainers import OutputFiles

from ctseg.errors import NOT_OF_A_CASE, InputError
from ctseg.jobs.refusals import Refusal, read_refusal, write_refusal
from job import job
from jobs import LOG, handed_over


@pytest.fixture
def snakemake(tmp_path, monkeypatch):
    """Simulated `snakemake` object with the attributes that `job` uses, in the folder of the study."""
    monkeypatch.chdir(tmp_path)
    scan = tmp_path / "Doe^John" / "1.2.840.113619.2.55.3"
    for path in (scan / "IM1", Path("results/study/y.nii")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    paths = {
        "scan": str(scan),
        "model": "results/study/model.onnx",
        "cases": ["results/study/x.nii", "results/study/y.nii"],
    }
    return handed_over("infer", {"from": f"{scan}/IM1"}, paths, {"prediction": "results/study/y.nii"})


def test_bad_input_is_one_line_on_the_terminal_and_in_the_log(snakemake, capsys):
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        raise InputError("scan.nii is cut; copy it again")
    assert stopped.value.code == 1
    assert capsys.readouterr().err.strip() == "ctseg: infer a: scan.nii is cut; copy it again"
    log = LOG.read_text()
    assert "scan.nii is cut" in log
    assert "Traceback" not in log


def test_the_log_names_no_path_of_a_scan_and_no_uid(snakemake, capsys):
    message = f"{snakemake.input.scan}/IM1 and 1.2.840.10008.1.2.3.4 and results/study/model.onnx"
    with pytest.raises(SystemExit), job(snakemake):
        raise InputError(message)
    assert message in capsys.readouterr().err
    assert "<scan>/IM1 and <uid> and results/study/model.onnx" in LOG.read_text()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        *[(name, name) for name in ("IM_0012.dcm", "IM1", "slice12", "1-01.dcm", "rs.dcm")],
        *[(name, "<file>") for name in ("Doe.dcm", "DOE^JOHN", "19560817.dcm", "00123456", "Doe/IM1", "Zoë Li.dcm")],
        ("Doe_1.2.840.113619.2.55.3.7", "<file>"),
        ("1.2.840.113619.2.55.3.7", "<uid>"),
    ],
)
def test_the_log_names_no_file_that_may_be_called_after_a_patient(snakemake, name, kept):
    path = Path(snakemake.input.scan) / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(SystemExit), job(snakemake):
        raise InputError(f"{path} is cut; {path.name} holds 3 of 40 slices")
    log = LOG.read_text()
    assert f"<scan>/{kept}" in log
    assert "holds 3 of 40 slices" in log
    assert not re.search("doe|zoë|1956|123456", log, re.IGNORECASE)


def test_bad_input_is_a_refusal_where_the_study_goes_on(snakemake, capsys):
    snakemake.resources = {"go_on": 1}
    with job(snakemake):
        raise InputError(f"{snakemake.input.scan}/IM1 is cut")
    assert "Doe^John" in capsys.readouterr().err
    refused = read_refusal("results/study/y.nii")
    assert refused == Refusal("a", "infer", "<scan>/IM1 is cut")
    assert Path("results/study/provenance/files/y.nii.json").is_file()


@pytest.mark.parametrize("kind", NOT_OF_A_CASE)
def test_what_is_not_of_a_case_stops_the_study_that_goes_on(snakemake, kind):
    snakemake.resources = {"go_on": 1}
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        raise kind("the model is damaged")
    assert stopped.value.code == 1
    assert read_refusal("results/study/y.nii") is None


def test_a_refused_case_is_passed_on_unless_the_input_is_spared(snakemake):
    refusal = Refusal("a", "convert_image", "is cut")
    write_refusal(refusal, [snakemake.input.cases[1]])
    snakemake.output = OutputFiles(fromdict={"prediction": "results/study/z.nii.gz"})
    done = []
    with job(snakemake, spared=["cases"]):
        Path("results/study/z.nii.gz").touch()
        done.append("body")
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        done.append("never")
    assert (stopped.value.code, done) == (0, ["body"])
    assert read_refusal("results/study/z.nii.gz") == refusal


def test_a_defect_keeps_its_traceback(snakemake):
    with pytest.raises(ZeroDivisionError), job(snakemake):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in LOG.read_text()


def test_messages_of_the_library_reach_the_log_and_no_handler_stays(snakemake):
    with job(snakemake):
        logging.getLogger("ctseg.training.trainer").info("step %d", 3)
    assert "INFO step 3" in LOG.read_text()
    assert logging.getLogger("ctseg").handlers == []


def test_what_was_read_and_written_is_recorded_when_the_job_ended_well(snakemake):
    record = Path("results/study/provenance/files/y.nii.json")
    with pytest.raises(SystemExit), job(snakemake):
        raise InputError("no")
    assert not record.exists()
    with job(snakemake):
        Path("results/study/y.nii").write_text("written")
    told = json.loads(record.read_text())
    assert told["inputs"] == ["model.onnx", "x.nii", "y.nii"]
    assert told["command"] == "snakemake --cores all --force -- results/study/y.nii"
    assert told["sources"]["scan"][0]["files"] == 1
    assert told["outputs"]["y.nii"] == {"sha256": hashlib.sha256(b"written").hexdigest(), "bytes": 7}
    assert told["params"] == {"from": "<scan>/IM1"}
    assert "Doe^John" not in record.read_text()


def test_a_full_disk_is_no_defect(snakemake, capsys):
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        raise OSError(errno.ENOSPC, "No space left on device", "results/study/x.nii")
    assert stopped.value.code == 1
    assert (
        capsys.readouterr().err.strip().startswith("ctseg: infer a: results/study/x.nii: the disk is full; free space")
    )
    assert "Traceback" not in LOG.read_text()


def test_another_error_of_the_system_is_told_whole(snakemake):
    with pytest.raises(OSError, match="odd"), job(snakemake):
        raise OSError(errno.EISDIR, "odd")
    assert "this is a defect of ctseg" in LOG.read_text()


def test_a_traceback_in_the_log_has_no_path_of_the_scan(snakemake):
    with pytest.raises(OSError, match="odd"), job(snakemake):
        raise OSError(errno.EISDIR, "odd", f"{snakemake.input.scan}/IM1")
    told = LOG.read_text()
    assert "Traceback" in told
    assert "<scan>/IM1" in told
    assert "Doe^John" not in told
