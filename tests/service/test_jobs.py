"""Queue and end of jobs: slots of uploads, faults of the disk, and a deletion in the last moment."""

import errno
import json
import logging

import pytest

from serving.service import jobs as jobs_module
from serving.service.job import RECORD, Job, Order, State
from serving.service.jobs import Full, Jobs
from serving.settings import Settings

ONE = Settings(uploads_per_client=1, uploads_at_once=1)


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path, ONE)


@pytest.fixture
def faulty(monkeypatch):
    """From the call of this function on, no record of a job can be written."""

    def refuse(job, state):
        raise OSError(errno.ENOSPC, "No space left on device", str(job.folder / RECORD))

    return lambda: monkeypatch.setattr(Job, "save", refuse)


def running(jobs):
    """A job that a worker has just finished."""
    job = jobs.begin("a", Order())
    jobs.enqueue(job)
    assert jobs.next(1) is job
    for path in (job.result, job.components, job.folder / "scan.nii"):
        path.write_bytes(b"x")
    (job.folder / "dicom").mkdir()
    return job


def names(job):
    return {path.name for path in job.folder.iterdir()}


def test_an_upload_that_cannot_begin_holds_no_slot(jobs, tmp_path):
    tmp_path.rmdir()
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            jobs.begin("a", Order())
    tmp_path.mkdir()
    jobs.begin("a", Order())
    with pytest.raises(Full):
        jobs.begin("a", Order())


def test_the_folder_is_made_again_if_somebody_removed_it(tmp_path):
    folder = tmp_path / "server"
    jobs = Jobs(folder, ONE, renew=lambda: folder.mkdir(exist_ok=True))
    assert jobs.begin("a", Order()).folder.is_dir()


def test_a_job_that_cannot_be_recorded_is_not_queued(jobs, faulty):
    job = jobs.begin("a", Order())
    faulty()
    with pytest.raises(OSError, match="No space"):
        jobs.enqueue(job)
    assert jobs.next(0) is None and jobs.get(job.id) is None
    jobs.abandon(job)
    assert not job.folder.exists()
    jobs.begin("a", Order())


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_the_end_of_a_job_holds_also_if_it_cannot_be_recorded(state, jobs, faulty, caplog):
    job = running(jobs)
    faulty()
    with caplog.at_level(logging.ERROR):
        jobs.finish(job, state, "why")
    assert (job.state, job.error) == (state, "why")
    assert job.ended
    assert names(job) - {RECORD} == ({"result.nii.gz", "result.json"} if state is State.DONE else set())
    assert "No space left" in caplog.text
    assert job.id not in caplog.text and job.log_name in caplog.text


def test_a_job_whose_folder_is_gone_ends_too(jobs, tmp_path):
    job = running(jobs)
    for path in sorted(job.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    job.folder.rmdir()
    jobs.finish(job, State.FAILED, "why")
    assert job.state is State.FAILED


def test_what_cannot_be_deleted_is_logged_and_the_job_ends(jobs, monkeypatch, caplog):
    job = running(jobs)

    def refuse(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("serving.service.jobs.shutil.rmtree", refuse)
    with caplog.at_level(logging.ERROR):
        jobs.finish(job, State.FAILED)
    assert job.state is State.FAILED
    assert "cannot be deleted (Input/output error)" in caplog.text and job.id not in caplog.text
    assert names(job) == {RECORD, "dicom"}  # all others are deleted


def test_a_deletion_between_the_end_of_the_work_and_its_record_leaves_no_result(jobs):
    job = running(jobs)
    jobs.delete(job)
    jobs.finish(job, State.DONE)
    assert (job.state, job.error) == (State.CANCELLED, None)
    assert names(job) == {RECORD}
    assert json.loads((job.folder / RECORD).read_text())["state"] == "cancelled"


def test_a_result_that_is_deleted_after_its_record_is_forgotten(jobs):
    job = running(jobs)
    jobs.finish(job, State.DONE)
    assert names(job) == {RECORD, "result.nii.gz", "result.json"}
    jobs.delete(job)
    assert jobs.get(job.id) is None and not job.folder.exists()


def test_a_name_in_the_log_does_not_lead_to_the_result(jobs):
    job = jobs.begin("a", Order())
    assert len(job.log_name) == 8 and job.log_name not in job.id
    assert job.log_name == Job(job.id, job.folder).log_name


def test_a_record_that_the_disk_does_not_give_is_left_and_told_without_its_id(jobs, tmp_path, monkeypatch, caplog):
    job = running(jobs)
    jobs.finish(job, State.DONE)

    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(jobs_module, "read_json", fail)
    later = Jobs(tmp_path, ONE)
    assert later.get(job.id) is None
    assert (job.folder / RECORD).exists()
    assert "Input/output error" in caplog.text
    assert job.id not in caplog.text
