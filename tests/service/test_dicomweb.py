"""Series from a DICOMweb server and results to it: Orthanc if installed, and a simulated server with errors."""

import asyncio
import json

import httpx
import numpy as np
import pydicom
import pytest
from pydantic import ValidationError

from ctseg.errors import InputError
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti
from dicom_files import REFERABLE, write_series
from orthanc import orthanc
from service import resident_mib, serving
from serving.dicomweb import DicomWeb
from serving.multipart import Parts, boundary_of
from serving.service.schemas import ArchivedSeries
from serving.settings import Settings
from serving.uploads import Refused

pytestmark = pytest.mark.timeout(180)
MULTIPART = 'multipart/related; type="application/dicom"; boundary="a-b"'
FILES = [b"first", b"", b"\r\n--a-\r\n--a-", b"\r\n" * 500, bytes(range(256)) * 2000]


def body_of(files, preamble=b"", boundary=b"a-b"):
    parts = [
        b"--" + boundary + b"\r\nContent-Type: application/dicom\r\nX: 1\r\n\r\n" + file + b"\r\n" for file in files
    ]
    return preamble + b"".join(parts) + b"--" + boundary + b"--\r\nafter"


@pytest.mark.parametrize("size", [1, 7, 100, 10**7])
@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"to be ignored\r\n"])
def test_parts_are_those_of_the_body_however_it_is_cut(tmp_path, size, preamble):
    files = FILES if size > 1 else FILES[:3]
    parts, body = Parts(b"a-b", tmp_path, 9), body_of(files, preamble)
    for start in range(0, len(body), size):
        parts.feed(body[start : start + size])
    assert parts.complete
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == files
    assert {path.suffix for path in tmp_path.iterdir()} == {".dcm"}  # what is damaged is no other file to the reader


def test_the_boundary_is_that_of_a_multipart_type_alone():
    assert boundary_of(MULTIPART) == b"a-b"
    assert boundary_of("multipart/related; boundary=xyz") == b"xyz"
    assert boundary_of("application/json; boundary=xyz") is None
    assert boundary_of("multipart/related") is None


def client(answer, **more):
    """Client of a simulated server with these responses, and the list of its requests."""
    asked = []

    async def handle(request):
        asked.append(request)
        await request.aread()
        told = answer(request)
        told = await told if asyncio.iscoroutine(told) else told
        return httpx.Response(told.status_code, headers=told.headers, content=streamed(told.content))

    settings = Settings(dicomweb_url="http://pacs.test/web/", **more)
    return DicomWeb(settings, httpx.MockTransport(handle)), asked


async def streamed(content):
    """Content in chunks of 1000 bytes, as from a server."""
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def refusal(work):
    """Status and message of the Refused that a coroutine raises."""
    with pytest.raises(Refused) as error:
        asyncio.run(work)
    return error.value.status, str(error.value)


def series(*pairs):
    """Response function of QIDO-RS with these pairs (study UID, series UID)."""
    found = [{"0020000D": {"Value": [study]}, "0020000E": {"Value": [name]}} for study, name in pairs]
    return lambda request: httpx.Response(200, json=found)


def test_the_study_is_that_of_the_series_also_from_a_server_that_filters_nothing():
    web, asked = client(series(("1.1", "1.9"), ("1.2", "1.3")), dicomweb_token="secret")
    assert asyncio.run(web.study_of("1.3")) == "1.2"
    assert str(asked[0].url) == "http://pacs.test/web/series?0020000E=1.3"
    assert asked[0].headers["Authorization"] == "Bearer secret"
    for answer, status in (
        (series(), 404),
        (lambda _: httpx.Response(204), 404),
        (series(("1.1", "1.3"), ("1.2", "1.3")), 502),
        (lambda _: httpx.Response(200, text="<html>"), 502),
        (lambda _: httpx.Response(200, content=bytes(5 * 2**20)), 502),
        (lambda _: httpx.Response(302, headers={"Location": "http://elsewhere.test/"}), 502),
        (lambda _: httpx.Response(401), 502),
    ):
        web, asked = client(answer)
        assert refusal(web.study_of("1.3"))[0] == status
        assert {request.url.host for request in asked} == {"pacs.test"}


def test_a_series_is_written_as_it_comes(tmp_path):
    answer = httpx.Response(200, content=body_of(FILES), headers={"Content-Type": MULTIPART})
    web, asked = client(lambda request: answer)
    asyncio.run(web.fetch("1.2", "1.3", tmp_path / "new"))
    assert asked[0].url.path == "/web/studies/1.2/series/1.3"
    assert [path.read_bytes() for path in sorted((tmp_path / "new").iterdir())] == FILES


@pytest.mark.parametrize(
    ("status", "content", "kind", "limits", "word"),
    [
        (404, b"", MULTIPART, {}, "does not know"),
        (413, body_of([b"1"] * 4), MULTIPART, {"max_entries": 3}, "more than the 3 files"),
        (413, body_of([bytes(2**20)]), MULTIPART, {"max_unpacked_mib": 0.5}, "larger than the 0.5 MiB"),
        (502, body_of(FILES)[:-12], MULTIPART, {}, "broke off"),
        (502, b"", MULTIPART, {}, "broke off"),
        (502, bytes(10**6), MULTIPART, {}, "no parts"),
        (502, b"{}", "application/json", {}, "no parts"),
        (500, b"", MULTIPART, {}, "answered 500"),
    ],
)
def test_what_is_no_series_is_refused_in_a_sentence(tmp_path, status, content, kind, limits, word):
    answered = status if status in (404, 500) else 200
    web, _ = client(lambda _: httpx.Response(answered, content=content, headers={"Content-Type": kind}), **limits)
    found = refusal(web.fetch("1.2", "1.3", tmp_path / "new"))
    assert found[0] == (502 if status == 500 else status)
    assert word in found[1] and "1.3" not in found[1]


def test_a_server_that_does_not_answer_is_waited_for_so_long(tmp_path):
    async def slow(request):
        await asyncio.sleep(30)

    web, _ = client(slow, dicomweb_seconds=0.2)
    assert refusal(web.study_of("1.3"))[0] == 504
    web = DicomWeb(Settings(dicomweb_url="http://127.0.0.1:9"))
    assert refusal(web.study_of("1.3"))[0] == 502


def test_objects_are_sent_whole_and_what_is_not_taken_is_told(tmp_path):
    for number, content in enumerate(FILES):
        (tmp_path / f"{number}").write_bytes(content)
    paths = sorted(tmp_path.iterdir())
    web, asked = client(lambda _: httpx.Response(200, json={}))
    asyncio.run(web.store(paths))
    boundary = boundary_of(asked[0].headers["Content-Type"])
    (tmp_path / "again").mkdir()
    parts = Parts(boundary, tmp_path / "again", 9)
    parts.feed(asked[0].content)
    assert [path.read_bytes() for path in sorted((tmp_path / "again").iterdir())] == FILES
    web, _ = client(lambda _: httpx.Response(202, json={"00081198": {"Value": [{}, {}]}}))
    assert refusal(web.store(paths)) == (502, "the DICOMweb server is of no use here: it did not take 2 of 5 objects")
    web, _ = client(lambda _: httpx.Response(409, text=""))
    assert refusal(web.store(paths))[0] == 502


def test_an_address_of_another_kind_is_refused_at_the_start():
    with pytest.raises(InputError, match="should begin with https"):
        DicomWeb(Settings(dicomweb_url="file:///etc"))


def test_uids_have_no_room_for_a_path():
    for uid in ("1.2.840.10008", "0.1"):
        assert ArchivedSeries(series_uid=uid).series_uid == uid
    for uid in ("1.2/../..", "1..2", "", "1.2?x", "a", "1.02", "1.2\n", "1." * 40 + "1"):
        with pytest.raises(ValidationError):
            ArchivedSeries(series_uid=uid)


def test_a_service_without_a_server_has_no_such_routes(model_folder, tmp_path):
    with serving(model_folder / "model.onnx", tmp_path) as served:
        assert served.client.post("/v1/archive/segmentations", json={"series_uid": "1.2.3"}).status_code == 404
        assert not [path for path in served.client.get("/openapi.json").json()["paths"] if "archive" in path]


def test_a_series_of_orthanc_is_segmented_and_the_results_are_stored_there(model_folder, scan, tmp_path):
    from dicomweb_client.api import DICOMwebClient

    write_series(tmp_path / "dicom", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "dicom").iterdir())]
    study, name = slices[0].StudyInstanceUID, slices[0].SeriesInstanceUID
    with (
        orthanc(tmp_path) as url,
        serving(model_folder / "model.onnx", tmp_path / "s", "--dicomweb-url", url) as served,
    ):
        other = DICOMwebClient(url)
        other.store_instances(slices)
        answer = served.client.post("/v1/archive/segmentations", json={"series_uid": name})
        assert answer.status_code == 202, answer.text
        job = served.ended(answer.json()["id"])
        assert job["state"] == "done", job
        stored = served.client.post(f"{job['links']['self']}/store")
        assert (stored.status_code, stored.json()) == (200, {"stored": ["report", "rtstruct", "seg"]})
        found = {one["00080060"]["Value"][0]: one["0020000E"]["Value"][0] for one in other.search_for_series(study)}
        assert found.keys() == {"CT", "SEG", "RTSTRUCT", "SR"}
        [seg] = other.retrieve_series(study, found["SEG"])
        seg.save_as(tmp_path / "seg.dcm")
        (tmp_path / "mask.nii.gz").write_bytes(served.client.get(job["links"]["nifti"]).content)
        mask = read_nifti(tmp_path / "mask.nii.gz")
        assert mask.voxels_zyx.any()
        again = read_label(tmp_path / "seg.dcm", LabelSettings({"ball": 1}), mask.grid, "scan")
        np.testing.assert_array_equal(again.voxels_zyx, mask.voxels_zyx)
        packed = served.client.post("/v1/archive/segmentations", json={"series_uid": name, "study_uid": study})
        assert packed.status_code == 202
        unknown = served.client.post("/v1/archive/segmentations", json={"series_uid": "1.2.3.4"})
        assert (unknown.status_code, "does not know" in unknown.json()["detail"]) == (404, True)
        log = served.log.read_text()
        assert name not in log and study not in log


def test_what_cannot_be_a_uid_is_named_without_its_value(model_folder, tmp_path):
    with serving(model_folder / "model.onnx", tmp_path, "--dicomweb-url", "http://127.0.0.1:9") as served:
        for uid in ("1.2/../../instances", "1" * 65, "http://elsewhere"):
            refused = served.client.post("/v1/archive/segmentations", json={"series_uid": uid})
            assert refused.status_code == 422 and uid not in refused.text
        for body in (b"", b"{", b"[]", b"\xff", json.dumps({"series_uid": 5}).encode()):
            refused = served.client.post("/v1/archive/segmentations", content=body)
            assert (refused.status_code, bool(refused.json()["detail"])) == (422, True)
        unreachable = served.client.post("/v1/archive/segmentations", json={"series_uid": "1.2.3"})
        assert (unreachable.status_code, "cannot be reached" in unreachable.json()["detail"]) == (502, True)


def test_a_large_body_is_not_collected_neither_with_nor_without_a_token(model_folder, tmp_path):
    flags = ("--dicomweb-url", "http://127.0.0.1:9")
    with serving(model_folder / "model.onnx", tmp_path, *flags, token="password") as served:
        before = resident_mib(served)
        large = b'{"series_uid": "' + b"1" * (100 * 2**20) + b'"}'
        for headers, status in (({"Authorization": "Bearer wrong"}, 401), ({}, 413)):
            answer = served.client.post("/v1/archive/segmentations", content=large, headers=headers)
            assert answer.status_code == status
        assert resident_mib(served) - before < 20
