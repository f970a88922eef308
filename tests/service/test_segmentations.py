"""Places of uploads after a fault of the disk."""

import asyncio
from types import SimpleNamespace

import pytest
from fastapi import HTTPException, Request, Response

from serving.refused import Refused
from serving.service.job import Job, Order
from serving.service.jobs import Jobs
from serving.service.segmentations import queued
from serving.settings import Settings

REQUEST = Request({"type": "http", "client": ("192.0.2.1", 5), "headers": []})


def upload(jobs, store):
    """Store an upload by a function of its folder; return its job."""

    async def take():
        async with queued(REQUEST, SimpleNamespace(jobs=jobs), Order(), Response()) as job:
            store(job.folder)
        return job

    return asyncio.run(take())


def refuse(*given):
    raise OSError(28, "No space left on device", "/home/doe/scan")


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path, Settings(uploads_per_client=1))


@pytest.mark.parametrize("place", ["folder", "scan", "record"])
def test_a_full_disk_is_507_and_holds_neither_place_nor_files(place, jobs, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        if place == "record":
            patched.setattr(Job, "save", refuse)
        if place == "folder":
            patched.setattr(jobs, "_renew", refuse)
        for _ in range(3):
            with pytest.raises(Refused, match="no room left") as caught:
                upload(jobs, refuse if place == "scan" else lambda folder: (folder / "scan.nii").touch())
            assert caught.value.status == 507
    assert list(tmp_path.iterdir()) == []
    assert jobs.next(0) is None
    assert jobs.get(upload(jobs, lambda folder: None).id)


def test_an_upload_beside_too_many_gets_429(jobs):
    jobs.begin("192.0.2.1", Order())
    with pytest.raises(HTTPException) as caught:
        upload(jobs, lambda folder: None)
    assert caught.value.status_code == 429
