"""REST service with a real server and a real model."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest

from command import with_folders
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.components import measure_components
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import REFERABLE, write_series
from places import ROOT, SCRIPTS
from real_data import real_data
from service import big_scan, serving, wait_until_running, worker_pid

pytestmark = pytest.mark.timeout(180)


def zipped(folder):
    """Bytes of a zip with the files of a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"series/{path.name}")
    return packed.getvalue()


@pytest.fixture(scope="module")
def served(model_folder, tmp_path_factory):
    with serving(model_folder / "model.onnx", tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def files(scan, tmp_path_factory):
    """Folder with the scan as .nii, .nii.gz and DICOM series."""
    folder = tmp_path_factory.mktemp("scan")
    write_nifti(scan[0], folder / "scan.nii")
    write_nifti(scan[0], folder / "scan.nii.gz")
    write_series(folder / "dicom", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    return folder


def expected(model_folder, path, output):
    """Bytes of the mask and prediction by `predict` for the same file."""
    scan = read_scan(path)
    found = predict(scan.volume, load_engine(model_folder / "model.onnx", 1))
    write_nifti(found.segmentation, output)
    return output.read_bytes(), found


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "dicom"])
def test_the_mask_is_that_of_predict_byte_for_byte(served, model_folder, files, tmp_path, name):
    path = files / name
    mask, result = served.segment(zipped(path) if path.is_dir() else path.read_bytes())
    wanted, found = expected(model_folder, path, tmp_path / "wanted.nii.gz")
    assert mask == wanted
    assert len(result["components"]) == len(found.components) > 0
    for shown, row in zip(result["components"], found.components, strict=True):
        assert shown["label"] == "ball"
        assert (shown["volume_cm3"], shown["mean_hu"]) == (row["volume_cm3"], row["mean_hu"])
        lowest, highest = np.array(shown["bounding_box_xyz_mm"])
        assert (lowest < shown["centroid_xyz_mm"]).all() and (shown["centroid_xyz_mm"] < highest).all()


def test_dicom_objects_are_made_of_a_series_where_they_are_asked_for(served, files, tmp_path):
    job = served.post(zipped(files / "dicom"), params={"dicom": True}).json()
    links = served.ended(job["id"])["links"]
    for name in ("nifti", "seg", "rtstruct", "report"):
        (tmp_path / Path(links[name]).name).write_bytes(served.client.get(links[name]).content)
    mask = read_nifti(tmp_path / "result.nii.gz")
    assert mask.voxels_zyx.any()
    for name in ("seg.dcm", "rtstruct.dcm"):
        found = read_label(tmp_path / name, LabelSettings({"ball": 1}), mask.grid, "scan")
        np.testing.assert_array_equal(found.voxels_zyx, mask.voxels_zyx)
    assert pydicom.dcmread(tmp_path / "report.dcm").Modality == "SR"


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("series", ["lidc-dicom/LIDC-IDRI-0001", "sarcoma-dicom/STS_005/CT/image"])
def test_a_real_series_is_segmented_as_predict_does(served, model_folder, tmp_path, series):
    folder = real_data(series)
    packed = zipped(folder)
    job = served.ended(served.post(packed, params={"dicom": True}).json()["id"])
    assert job["state"] == "done", job
    assert (
        served.client.get(job["links"]["nifti"]).content == expected(model_folder, folder, tmp_path / "own.nii.gz")[0]
    )
    (tmp_path / "seg.dcm").write_bytes(served.client.get(job["links"]["seg"]).content)
    mask = read_nifti(tmp_path / "own.nii.gz")
    found = read_label(tmp_path / "seg.dcm", LabelSettings({"ball": 1}, missing_ok=True), mask.grid, "scan")
    np.testing.assert_array_equal(found.voxels_zyx, mask.voxels_zyx)


def test_dicom_objects_that_were_not_asked_for_or_cannot_be_made(served, files):
    job = served.post(zipped(files / "dicom")).json()
    links = served.ended(job["id"])["links"]
    assert set(links) == {"self", "nifti", "json"}
    assert served.client.get(f"{links['self']}/seg.dcm").status_code == 404
    refused = served.post((files / "scan.nii").read_bytes(), params={"dicom": True})
    assert (refused.status_code, "send a zip of DICOM" in refused.json()["detail"]) == (422, True)


def test_a_parameter_that_cannot_be_read_is_named(served, files):
    refused = served.post((files / "scan.nii").read_bytes(), params={"dicom": "perhaps"})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("dicom: Input should be a valid boolean")


def test_the_box_of_a_component_is_that_of_its_voxels():
    grid = Grid((4, 5, 6), (1.0, 2.0, 3.0), (10.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    mask = np.zeros(grid.shape_zyx, np.uint8)
    mask[1:3, 2:4, 3:5] = 1
    [row] = measure_components(Volume(mask, grid), Volume(mask, grid))
    assert row["box_xyz_mm"] == [[12.5, 3.0, 1.5], [14.5, 7.0, 7.5]]


def test_model_health_metrics_and_openapi(served, model_folder):
    card = served.client.get("/v1/model").json()["card"]
    assert card["labels"] == ["ball"]
    assert served.client.get("/healthz").json() == {"status": "ok"}
    text = served.client.get("/metrics").text
    assert 'ctseg_http_requests_total{code="200"}' in text and "ctseg_jobs{" in text
    paths = served.client.get("/openapi.json").json()["paths"]
    assert paths["/v1/segmentations"]["post"]["requestBody"]["content"].keys() == {"application/octet-stream"}


def test_what_is_not_there_is_404_and_what_has_no_result_409(served):
    assert served.client.get("/v1/segmentations/none").status_code == 404
    assert served.client.delete("/v1/segmentations/none").status_code == 404
    empty = Volume(np.zeros((9, 9, 9), np.int16), Grid((9,) * 3, (1.0,) * 3, (0.0,) * 3, tuple(np.eye(3).tolist())))
    path = served.folder / "flat.nii"
    write_nifti(empty, path)
    job = served.ended(served.post(path.read_bytes()).json()["id"])
    assert job["state"] == "failed" and "cannot be a CT" in job["error"] and str(served.folder) not in job["error"]
    assert served.client.get(f"/v1/segmentations/{job['id']}/result.json").status_code == 409


def test_a_result_that_is_deleted_is_gone(served, files):
    job = served.ended(served.post((files / "scan.nii").read_bytes()).json()["id"])
    assert served.client.delete(job["links"]["self"]).status_code == 204
    assert served.client.get(job["links"]["nifti"]).status_code == 404
    assert not list(served.folder.glob(f"*/{job['id']}"))


def test_nothing_that_identifies_is_logged(served, files):
    served.segment(zipped(files / "dicom"))
    text = served.log.read_text()
    assert "done after" in text
    assert not any(word in text for word in ("Secret", "SECRETID", "IM0", "IM3", "1.2.3", "scan.nii"))


def test_a_killed_worker_is_replaced(served, files):
    large = big_scan(served.folder / "large.nii")
    job = served.post(large).json()["id"]
    wait_until_running(served, job)
    os.kill(worker_pid(served), signal.SIGKILL)
    ended = served.ended(job)
    assert ended["state"] == "failed" and "worker" in ended["error"]
    assert served.segment((files / "scan.nii").read_bytes())[1]["components"]


def test_a_running_job_can_be_cancelled(served, files):
    job = served.post(big_scan(served.folder / "large.nii")).json()["id"]
    wait_until_running(served, job)
    assert served.client.delete(f"/v1/segmentations/{job}").status_code == 204
    assert served.ended(job)["state"] == "cancelled"
    assert served.segment((files / "scan.nii").read_bytes())[1]["components"]


def test_the_lines_of_its_page_work(served, files, tmp_path):
    text = (ROOT / "docs" / "service.md").read_text().partition("## The service")[2]
    lines = text.partition("```\n")[2].partition("```")[0].replace("http://127.0.0.1:8000", served.url).splitlines()
    shutil.copy(files / "scan.nii.gz", tmp_path / "scan.nii.gz")
    status, _, result, _ = run_lines(lines, tmp_path)
    status, result = json.loads(status), json.loads(result)
    assert status["state"] == "done"
    assert (tmp_path / "mask.nii.gz").read_bytes() == served.segment((files / "scan.nii.gz").read_bytes())[0]
    assert result["components"]
    assert served.client.get(status["links"]["self"]).status_code == 404


def run_lines(lines, folder):
    """Output of each line, all run in one shell; the first line only sets a variable and is not included."""
    script = lines[0] + "".join(f"\n{line}; printf '@@'" for line in lines[1:])
    run = subprocess.run(script, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.split("@@")[:-1]


def test_fifty_clients_at_once_get_their_own_result_or_are_asked_to_wait(model_folder, scan, tmp_path):
    scans, wanted = [], []
    for number, step in enumerate((1, 5, 9, 13)):
        path = tmp_path / f"{number}.nii"
        write_nifti(scan[0].with_voxels(np.roll(scan[0].voxels_zyx, step, axis=2)), path)
        scans.append(path.read_bytes())
        wanted.append(expected(model_folder, path, tmp_path / f"{number}.nii.gz")[0])
    assert len(set(wanted)) == 4

    def ask(number):
        answer = running.post(scans[number % 4])
        if answer.status_code == 429:
            return "wait" if int(answer.headers["Retry-After"]) > 0 else "no time"
        job = running.ended(answer.json()["id"])
        mask = running.client.get(job["links"]["nifti"]).content
        return "right" if mask == wanted[number % 4] else "wrong"

    places = ("--queue-size", 20, "--uploads-at-once", 50, "--uploads-per-client", 50)
    with serving(model_folder / "model.onnx", tmp_path / "s", *places) as running, ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(ask, range(50)))
    assert set(outcomes) <= {"right", "wait"}
    assert outcomes.count("right") >= 20


def test_the_container_has_what_the_service_imports():
    left_out = re.search(r"grep -vE '\^\((.+)\)'", (ROOT / "Dockerfile.serving").read_text())[1].split("|")
    code = "import sys, serving.__main__, serving.service.worker, ctseg.dicom.read_ct; print(*sys.modules)"
    environment = with_folders(ROOT, SCRIPTS)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert not {name.partition(".")[0] for name in run.stdout.split()} & set(left_out)


def is_alive(pid):
    """Whether a process runs; an ended process that is still a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_limits_of_time_queue_and_keeping(model_folder, files, tmp_path):
    large = big_scan(tmp_path / "large.nii")
    flags = ("--job-seconds", 0.3, "--queue-size", 1, "--keep-seconds", 4)
    with serving(model_folder / "model.onnx", tmp_path / "service", *flags) as served:
        first = served.post(large).json()["id"]
        wait_until_running(served, first)
        second = served.post(large)
        third = served.post(large)
        assert {second.status_code, third.status_code} == {202, 429}
        assert int(third.headers["Retry-After"]) > 0
        ended = served.ended(first)
        assert ended["state"] == "failed" and "time limit" in ended["error"]
        served.ended(second.json()["id"])
        time.sleep(7)
        assert served.client.get(f"/v1/segmentations/{first}").status_code == 404
        assert not list(served.folder.glob(f"*/{first}"))


def test_a_token_is_asked_for(model_folder, tmp_path):
    with serving(model_folder / "model.onnx", tmp_path, token="password") as served:
        assert served.client.get("/v1/model").status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic password"}):
            for path in ("/v1/model", "/metrics", "/v1/segmentations/x"):
                assert httpx.get(served.url + path, headers=headers).status_code == 401
        assert httpx.get(served.url + "/healthz").status_code == 200


def test_a_killed_server_leaves_no_worker_and_starts_clean(model_folder, files, tmp_path):
    with serving(model_folder / "model.onnx", tmp_path) as served:
        job = served.post(big_scan(tmp_path / "large.nii")).json()["id"]
        wait_until_running(served, job)
        worker = worker_pid(served)
        served.process.kill()
        served.process.wait()
        time.sleep(0.5)
        assert not is_alive(worker)
        [left] = served.folder.glob("ctseg-server-*")
        assert list(left.glob(f"{job}/scan.nii"))
    with serving(model_folder / "model.onnx", tmp_path) as served:
        assert served.segment((files / "scan.nii").read_bytes())[1]["components"]
        assert not left.exists() and not list(served.folder.glob("*/*/scan.nii"))
        assert "stopped" in served.client.get(f"/v1/segmentations/{job}").json()["error"]


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--model", "damaged.onnx", "damaged.onnx cannot be loaded"),
        ("--model", "missing.onnx", "missing.onnx does not exist; name it with --model"),
        ("--folder", "damaged.onnx", "damaged.onnx cannot be used .*; give another one with --folder"),
        ("--folder", "full", "full cannot be used .*; give another one with --folder"),
        ("--dicomweb-url", "ftp://x", "--dicomweb-url ftp://x should begin with https:// or http://"),
        ("--port", "65536", "65536 is not a port"),
        ("--upload-kib-per-second", "0", "--upload-kib-per-second: 0 should be a number above 0"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_line(model_folder, tmp_path, flag, value, words):
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    (tmp_path / "full" / ".ctseg-lock").mkdir(parents=True)  # nothing can be written there
    given = {"--model": model_folder / "model.onnx", "--folder": tmp_path / "spool", "--port": 0} | {flag: value}
    command = [sys.executable, "-m", "serving", *(str(part) for pair in given.items() for part in pair)]
    environment = with_folders(ROOT, SCRIPTS)
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode in (1, 2)
    assert re.search(words, ended.stderr.splitlines()[-1])
    assert "Traceback" not in ended.stderr
