"""Jobs with an unusable case: message, rejection record, and handling in later jobs."""

import logging
from pathlib import Path

import pytest

from ctseg.jobs.refusals import Refusal, read_refusal, write_refusal
from ctseg.jobs.refused_jobs import goes_on, passed_on, refuse, tell
from ctseg.provenance.job_records import now, record_path
from jobs import handed_over

PREDICTION = "results/study/a.nii.gz"


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Job of the case `a` with a scan of the user and two results as input."""
    monkeypatch.chdir(tmp_path)
    inputs = {"scan": "data/Doe/scan.nii", "label": "results/study/label.nii", "lungs": ["results/study/lungs.nii"]}
    for path in ("data/Doe/scan.nii", "results/study/label.nii", "results/study/lungs.nii"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("content")
    return handed_over("infer", {}, inputs, {"prediction": PREDICTION})


def test_the_terminal_shows_the_path_and_the_log_does_not(job, capsys, caplog):
    kept = tell(logging.getLogger("ctseg"), "infer a", "data/Doe/scan.nii is cut", job.input)
    assert kept == "<scan> is cut"
    assert capsys.readouterr().err == "\nctseg: infer a: data/Doe/scan.nii is cut\n\n"
    assert caplog.messages == ["<scan> is cut"]


def test_the_study_goes_on_where_the_job_says_so(job):
    assert not goes_on(job)
    for resources, expected in (({"go_on": 1}, True), ({"go_on": 0}, False), ({}, False)):
        job.resources = resources
        assert goes_on(job) is expected


def test_a_refusal_takes_the_place_of_the_outputs_and_is_on_record(job):
    refuse(job, "the scan is cut", now())
    assert read_refusal(PREDICTION) == Refusal("a", "infer", "the scan is cut")
    assert record_path(Path("results/study"), "a.nii.gz").is_file()


@pytest.mark.parametrize("name", ["label", "lungs"])
def test_a_refusal_among_the_inputs_is_passed_on_unless_it_is_spared(job, name):
    earlier = Refusal("a", "convert_label", "no voxel")
    write_refusal(earlier, [f"results/study/{name}.nii"])
    assert not passed_on(job, [name], now())
    assert not Path(PREDICTION).exists()
    assert passed_on(job, [], now())
    assert read_refusal(PREDICTION) == earlier


def test_nothing_is_passed_on_where_nothing_was_refused_or_there_is_no_case(job):
    assert not passed_on(job, [], now())
    write_refusal(Refusal("a", "convert_label", "no voxel"), ["results/study/label.nii"])
    job.wildcards = type(job.wildcards)(fromdict={"fold": "1"})
    assert not passed_on(job, [], now())
