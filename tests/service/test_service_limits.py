"""Robustness of the service: large headers, slow and many clients, killed server, and no internet connection."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from browser import chromium  # noqa: F401
from ctseg.scans.nifti import write_nifti
from service import big_scan, free_port, resident_mib, serving, wait_until_running

pytestmark = pytest.mark.timeout(180)
POST = "POST /v1/segmentations HTTP/1.1\r\nHost: here\r\n"
MIB = 2**20


@pytest.fixture(scope="module")
def model(model_folder):
    return model_folder / "model.onnx"


@pytest.fixture(scope="module")
def nifti(scan, tmp_path_factory):
    """Bytes of a scan as .nii."""
    path = tmp_path_factory.mktemp("scan") / "scan.nii"
    write_nifti(scan[0], path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def quick(model, tmp_path_factory):
    """Service with a token and strict limits for slow clients."""
    limits = [
        "--upload-grace-seconds",
        2,
        "--upload-kib-per-second",
        32,
        "--uploads-at-once",
        12,
        "--uploads-per-client",
        8,
    ]
    with serving(model, tmp_path_factory.mktemp("service"), *limits, token="password") as running:
        yield running


@contextmanager
def connected(served, text=""):
    """TCP connection to the service, after sending a text."""
    address = ("127.0.0.1", served.client.base_url.port)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(text.encode())
        yield connection


def answer(connection):
    """HTTP status of the response; None if the connection is closed without a response."""
    try:
        told = connection.recv(65536)
    except ConnectionResetError:
        return None
    return int(told.split()[1]) if told else None


@pytest.mark.parametrize("begin", ["X-Long: ", "X-Long", "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: "])
def test_a_header_without_an_end_costs_neither_memory_nor_time(quick, begin):
    before, began, sent = resident_mib(quick), time.monotonic(), 0
    with connected(quick, POST + begin) as connection:
        try:
            while sent < 100 * MIB:
                sent += connection.send(b"x" * MIB)
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert sent < 20 * MIB
    assert time.monotonic() - began < 5
    assert resident_mib(quick) - before < 10
    assert quick.client.get("/healthz").status_code == 200


def test_many_or_large_headers_in_one_piece_get_431(quick):
    for more in ("".join(f"X-{number}: 1\r\n" for number in range(150)), f"X-Long: {'x' * 20000}\r\n"):
        with connected(quick, f"GET /v1/model HTTP/1.1\r\nHost: here\r\n{more}\r\n") as connection:
            assert answer(connection) in (431, 400)
    assert quick.client.get("/v1/model", headers={f"X-{number}": "1" for number in range(50)}).status_code == 200


def slow_uploads(served, stack, number, client):
    """Connections with uploads of a client address that send one byte and then wait."""
    head = f"{POST}Authorization: Bearer password\r\nX-Forwarded-For: {client}\r\nContent-Length: 1000000\r\n\r\nx"
    return [stack.enter_context(connected(served, head)) for _ in range(number)]


def test_slow_uploads_keep_nobody_out_and_are_ended(quick, nifti):
    with ExitStack() as stack:
        slow = slow_uploads(quick, stack, 8, "192.0.2.1")
        time.sleep(0.3)
        began = time.monotonic()
        refused = quick.post(nifti, headers={"X-Forwarded-For": "192.0.2.1"})
        assert (refused.status_code, "of yours" in refused.json()["detail"]) == (429, True)
        other = quick.post(nifti, headers={"X-Forwarded-For": "192.0.2.2"})
        assert other.status_code == 202
        assert quick.ended(other.json()["id"])["state"] == "done"
        assert time.monotonic() - began < 2
        assert [answer(connection) for connection in slow] == [408] * 8
        assert time.monotonic() - began < 4
        assert quick.post(nifti, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 202


def test_slow_uploads_from_everywhere_hold_their_places_for_seconds(quick, nifti):
    with ExitStack() as stack:
        slow = [slow_uploads(quick, stack, 4, f"192.0.2.{number}") for number in (3, 4, 5)]
        time.sleep(0.3)
        assert quick.post(nifti).status_code == 429
        assert [answer(connection) for connections in slow for connection in connections] == [408] * 12
        assert quick.post(nifti).status_code == 202


def test_addresses_of_one_network_of_ipv6_are_one_client(quick):
    with ExitStack() as stack:
        for number in range(4):
            slow_uploads(quick, stack, 2, f"2001:db8::{number + 1}")
        time.sleep(0.3)
        refused = quick.post(b"x", headers={"X-Forwarded-For": "2001:db8::99"})
        assert (refused.status_code, "of yours" in refused.json()["detail"]) == (429, True)


def test_a_steady_upload_may_take_longer_than_the_grace(quick, nifti):
    def pieces():
        for start in range(0, len(nifti), part):
            yield nifti[start : start + part]
            time.sleep(0.5)

    part = -(-len(nifti) // 6)
    assert part > 16 * 1024  # per 0.5 s, above the slowest allowed rate
    assert quick.post(pieces()).status_code == 202


def test_results_outlive_a_restart_and_what_was_not_done_has_failed(model, nifti, tmp_path):
    port = free_port()
    with serving(model, tmp_path, "--stop-seconds", 0.1, port=port) as served:
        done = served.ended(served.post(nifti).json()["id"])
        mask = served.client.get(done["links"]["nifti"]).content
        large = big_scan(tmp_path / "large.nii")
        others = [served.post(large).json()["id"] for _ in range(2)]
        wait_until_running(served, others[0])
        with ThreadPoolExecutor() as pool:
            waits = pool.submit(served.client.get, f"/v1/segmentations/{others[1]}", params={"wait_seconds": 30})
            time.sleep(0.3)
            served.process.terminate()
            assert waits.result().json()["state"] == "queued"
        served.process.wait(20)
    assert not list(tmp_path.glob("spool/*/*/scan*"))
    with serving(model, tmp_path, "--keep-seconds", 6, port=port) as served:
        again = served.client.get(f"/v1/segmentations/{done['id']}").json()
        assert again == done
        assert served.client.get(again["links"]["nifti"]).content == mask
        for job in others:
            told = served.client.get(f"/v1/segmentations/{job}").json()
            assert (told["state"], "stopped" in told["error"]) == ("failed", True)
        time.sleep(8)
        assert served.client.get(f"/v1/segmentations/{done['id']}").status_code == 404
    assert not list(tmp_path.glob("spool/ctseg-server-*"))


def test_a_service_takes_nothing_from_another_that_runs_in_its_folder(model, nifti, tmp_path):
    with serving(model, tmp_path) as first:
        job = first.ended(first.post(nifti).json()["id"])
        with serving(model, tmp_path) as second:
            assert second.client.get(job["links"]["self"]).status_code == 404
            assert first.client.get(job["links"]["nifti"]).status_code == 200
        assert first.client.get(job["links"]["nifti"]).status_code == 200
        assert first.segment(nifti)[1]["components"]


def test_a_record_that_was_cut_is_passed_over(model, nifti, tmp_path):
    with serving(model, tmp_path) as served:
        served.segment(nifti)
    for record in tmp_path.glob("spool/*/*/job.json"):
        record.write_text("")
    with serving(model, tmp_path) as served:
        assert served.segment(nifti)[1]["components"]


def test_the_page_of_the_routes_asks_nobody_else(quick):
    text = quick.client.get("/docs", headers={"Authorization": ""}).text
    used = re.findall(r"""(?:src|href)=["']([^"']+)["']""", text)
    assert len(used) >= 3
    for path in used:
        assert path.startswith("/")
        assert quick.client.get(path, headers={"Authorization": ""}).status_code == 200


@pytest.mark.browser
def test_the_page_shows_the_routes_without_internet(quick, chromium):  # noqa: F811
    asked = []
    window = chromium.new_page()
    window.on("request", lambda request: asked.append(request.url))
    window.goto(quick.url + "/docs")
    window.get_by_text("/v1/segmentations", exact=True).first.wait_for(timeout=20000)
    assert {url for url in asked if not url.startswith((quick.url, "data:", "blob:"))} == set()
    window.close()
