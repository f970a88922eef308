"""Order of a request for a series of the archive: with or without DICOM objects."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from fastapi import Request, Response

from serving.service.archive import segment_archived
from serving.service.jobs import Jobs
from serving.settings import Settings


class Archive:
    """Archive with one series."""

    async def study_of(self, series_uid):
        return "1.2"

    async def fetch(self, study_uid, series_uid, folder):
        folder.mkdir()


@pytest.mark.parametrize(("more", "dicom"), [({}, True), ({"dicom": True}, True), ({"dicom": False}, False)])
def test_dicom_objects_are_made_unless_a_client_wants_none(more, dicom, tmp_path):
    async def receive():
        return {"type": "http.request", "body": json.dumps({"series_uid": "1.2.3"} | more).encode()}

    jobs = Jobs(tmp_path, Settings())
    request = Request({"type": "http", "client": ("192.0.2.1", 5), "headers": []}, receive)
    asyncio.run(segment_archived(request, Response(), SimpleNamespace(jobs=jobs), Archive()))
    assert jobs.next(1).order.dicom == dicom
