import errno
import hashlib
import json
import logging
from pathlib import Path

import pytest

from ctseg.errors import InputError
from job import job
from jobs import LOG, handed_over


@pytest.fixture
def snakemake(tmp_path, monkeypatch):
    """What Snakemake hands to a script, as far as `job` looks at it; the script runs in the study's folder."""
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


def test_a_defect_keeps_its_traceback(snakemake):
    with pytest.raises(ZeroDivisionError), job(snakemake):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in LOG.read_text()


def test_messages_of_the_library_reach_the_log_and_no_handler_stays(snakemake):
    with job(snakemake):
        logging.getLogger("ctseg.training").info("step %d", 3)
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
        raise OSError(errno.EIO, "odd")
    assert "this is a defect of ctseg" in LOG.read_text()
