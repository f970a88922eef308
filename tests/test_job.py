import errno
import logging
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Params, Wildcards

from ctseg.errors import InputError
from job import job


@pytest.fixture
def snakemake(tmp_path):
    """What Snakemake hands to a script, as far as `job` looks at it."""
    paths = {
        "scan": "/data/Doe^John/1.2.840.113619.2.55.3",
        "model": "results/a/model.onnx",
        "cases": ["results/a/x.nii", "results/a/y.nii"],
    }
    wildcards, params = Wildcards(fromdict={"case": "case-7"}), Params(fromdict={"code": "0"})
    return SimpleNamespace(
        rule="infer",
        wildcards=wildcards,
        params=params,
        threads=1,
        log=[str(tmp_path / "infer.log")],
        input=InputFiles(fromdict=paths),
        output=[],
    )


def test_bad_input_is_one_line_on_the_terminal_and_in_the_log(snakemake, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        raise InputError("scan.nii is cut; copy it again")
    assert stopped.value.code == 1
    assert capsys.readouterr().err.strip() == "ctseg: infer case-7: scan.nii is cut; copy it again"
    log = (tmp_path / "infer.log").read_text()
    assert "scan.nii is cut" in log
    assert "Traceback" not in log


def test_the_log_names_no_path_of_a_scan_and_no_uid(snakemake, tmp_path, capsys):
    message = "/data/Doe^John/1.2.840.113619.2.55.3/IM1 and 1.2.840.10008.1.2.3.4 and results/a/model.onnx"
    with pytest.raises(SystemExit), job(snakemake):
        raise InputError(message)
    assert message in capsys.readouterr().err
    assert "<scan>/IM1 and <uid> and results/a/model.onnx" in (tmp_path / "infer.log").read_text()


def test_a_defect_keeps_its_traceback(snakemake, tmp_path):
    with pytest.raises(ZeroDivisionError), job(snakemake):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in (tmp_path / "infer.log").read_text()


def test_messages_of_the_library_reach_the_log_and_no_handler_stays(snakemake, tmp_path):
    with job(snakemake):
        logging.getLogger("ctseg.training").info("step %d", 3)
    assert "INFO step 3" in (tmp_path / "infer.log").read_text()
    assert logging.getLogger("ctseg").handlers == []


def test_a_full_disk_is_no_defect(snakemake, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped, job(snakemake):
        raise OSError(errno.ENOSPC, "No space left on device", "results/a/x.nii")
    assert stopped.value.code == 1
    assert (
        capsys.readouterr().err.strip().startswith("ctseg: infer case-7: results/a/x.nii: the disk is full; free space")
    )
    assert "Traceback" not in (tmp_path / "infer.log").read_text()


def test_another_error_of_the_system_is_told_whole(snakemake, tmp_path):
    with pytest.raises(OSError, match="odd"), job(snakemake):
        raise OSError(errno.EIO, "odd")
    assert "this is a defect of ctseg" in (tmp_path / "infer.log").read_text()
