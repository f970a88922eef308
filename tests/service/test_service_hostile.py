"""Malformed and malicious uploads are answered with 4xx, and the next valid upload is served."""

import re
from pathlib import Path

import pytest

from ctseg.scans.nifti import write_nifti
from hostile import hostile
from real_data import real_data
from service import serving, worker_pid

LIMIT_MIB = 64


@pytest.mark.timeout(300)
def test_each_gets_4xx_and_the_next_good_one_is_served(model_folder, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii")
    nifti = (tmp_path / "scan.nii").read_bytes()
    uploads = dict(hostile(nifti))
    assert len(set(uploads.values())) >= 300
    limits = ["--max-upload-mib", LIMIT_MIB, "--max-unpacked-mib", LIMIT_MIB]
    with serving(model_folder / "model.onnx", tmp_path / "service", *limits) as served:
        processes = {"server": served.process.pid, "worker": worker_pid(served)}
        before = {name: peak_mib(pid) for name, pid in processes.items()}
        codes = {name: served.post(content).status_code for name, content in uploads.items()}
        assert {name: code for name, code in codes.items() if not 400 <= code < 429} == {}
        for name, pid in processes.items():
            assert peak_mib(pid) - before[name] <= 2 * LIMIT_MIB, name
        assert served.segment(nifti)[1]["components"]


def peak_mib(pid):
    """Peak resident memory of a process in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


@pytest.mark.realdata
@pytest.mark.timeout(300)
def test_odd_files_are_refused_or_end_with_a_reason(model_folder, tmp_path):
    files = [path for path in sorted(real_data("bad-inputs").rglob("*")) if path.is_file()]
    with serving(model_folder / "model.onnx", tmp_path) as served:
        for path in files:
            answer = served.post(path.read_bytes())
            assert answer.status_code == 202 or 400 <= answer.status_code < 429, path.name
            if answer.status_code == 202:
                job = served.ended(answer.json()["id"])
                assert job["state"] == "done" or (job["error"] and str(tmp_path) not in job["error"]), path.name
