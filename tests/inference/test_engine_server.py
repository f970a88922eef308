"""Cases that share a process have the same results, and no case depends on another case."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ctseg.errors import InputError
from ctseg.files import write_json
from ctseg.inference import engine_server
from ctseg.inference.case_task import CaseTask, segment_case
from ctseg.inference.engine_server import segment
from ctseg.provenance import versions
from ctseg.scans.nifti import write_nifti
from studies import TINY, merged, planned_jobs, snakemake


@pytest.fixture
def task(model_folder, scan, tmp_path, monkeypatch):
    """Task for a scan of balls; sockets are in the temporary folder of the test."""
    monkeypatch.setattr(engine_server.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(versions, "_elsewhere", {})
    monkeypatch.chdir(tmp_path)
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    write_json(tmp_path / "inference.json", {"precision": {"value": "float32", "reason": "given"}})
    return {
        "image": "scan.nii.gz",
        "model": str(model_folder / "model.onnx"),
        "inference": "inference.json",
        "prediction": "prediction.nii.gz",
        "low_threshold": "low_threshold.nii.gz",
        "probability": "probability.nii.gz",
        "threads": 1,
        "engine": "auto",
        "memory_gib": 0.5,
        "batch_size": 1,
    }


def processes(folder):
    """Process ids of shared processes with sockets in a folder."""
    found = subprocess.run(
        ["pgrep", "-f", f"ctseg.inference.engine_server {folder}"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def test_a_shared_process_writes_the_same_bytes(task, tmp_path):
    segment_case(CaseTask(**task))
    alone = {name: (tmp_path / task[name]).read_bytes() for name in ("prediction", "low_threshold", "probability")}
    for name in alone:
        (tmp_path / task[name]).unlink()
    said = segment(task, 5, "test")
    assert "OpenVINO" in said
    assert {name: (tmp_path / task[name]).read_bytes() for name in alone} == alone
    assert versions._elsewhere["openvino"] == versions.software()["openvino"]


def test_cases_share_a_process_until_it_has_served_as_many_as_it_should(task, tmp_path):
    seen = []
    for number in range(4):
        segment(task | {"prediction": f"{number}.nii.gz"}, 3, "test")
        seen.append(processes(tmp_path))
    assert len(seen[0]) == 1
    assert seen[0] == seen[1]
    assert seen[3] != seen[0]
    assert len({(tmp_path / f"{number}.nii.gz").read_bytes() for number in range(4)}) == 1


def test_jobs_side_by_side_have_a_process_each(task, tmp_path):
    outputs = ("prediction", "low_threshold", "probability")
    jobs = [task | {name: f"{number}_{task[name]}" for name in outputs} for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: segment(job, 9, "test"), jobs))
    assert len(processes(tmp_path)) == 2
    for name in outputs:
        first, second = (tmp_path / job[name] for job in jobs)
        assert first.read_bytes() == second.read_bytes()


def test_bad_input_stops_its_own_case_alone(task, tmp_path):
    segment(task, 9, "test")
    before = processes(tmp_path)
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "scan.nii.gz").read_bytes()[:2000])
    with pytest.raises(InputError, match="cut, damaged"):
        segment(task | {"image": "cut.nii.gz", "prediction": "cut_out.nii.gz"}, 9, "test")
    assert not (tmp_path / "cut_out.nii.gz").exists()
    segment(task | {"prediction": "next.nii.gz"}, 9, "test")
    assert processes(tmp_path) == before


def test_a_full_disk_and_a_defect_are_told_as_what_they_are(task, tmp_path):
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        segment(task | {"prediction": "scan.nii.gz/out.nii.gz"}, 9, "test")
    with pytest.raises(RuntimeError, match="Traceback"):
        segment(task | {"batch_size": "two"}, 9, "test")


def test_a_process_that_was_killed_is_replaced(task, tmp_path):
    segment(task, 9, "test")
    (killed,) = processes(tmp_path)
    os.kill(killed, signal.SIGKILL)
    while killed in processes(tmp_path):
        time.sleep(0.01)
    segment(task | {"prediction": "next.nii.gz"}, 9, "test")
    assert (tmp_path / "next.nii.gz").exists()
    assert processes(tmp_path) != [killed]


@pytest.mark.parametrize("obstacle", ["folder", "start"])
def test_without_a_shared_process_a_job_does_its_work_itself(task, tmp_path, monkeypatch, caplog, obstacle):
    if obstacle == "folder":
        (tmp_path / f"ctseg-{os.getuid()}").mkdir(mode=0o755)
    else:
        monkeypatch.setattr(sys, "executable", "/bin/false")
    segment(task, 9, "test")
    assert "without a shared process" in caplog.text
    assert (tmp_path / "prediction.nii.gz").exists()
    assert not processes(tmp_path)


def test_a_process_without_work_ends_and_leaves_no_socket(task, tmp_path):
    place = tmp_path / "a.sock"
    command = [sys.executable, "-c", "import sys; from ctseg.inference import engine_server as s; s.IDLE_S = 0.2; "
               "from pathlib import Path; s.serve(Path(sys.argv[1]), 5)", str(place)]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, check=True, timeout=30, env=environment)
    assert not place.exists()


@pytest.mark.slow
def test_a_study_has_the_same_results_and_nothing_runs_again(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    run = snakemake(shared, merged(TINY, {"infer": {"cases_per_job": 4, "splits": ["test", "val", "train"]}}))
    assert run.returncode == 0, run.stdout
    once = merged(TINY, {"infer": {"splits": ["test", "val", "train"]}})
    again = planned_jobs(shared, once)
    assert not again.keys() - {"report", "manifest"}
    logs = list((shared / "results" / "tiny" / "logs" / "infer").iterdir())
    assert len(logs) == 3
    assert not any("without a shared process" in log.read_text() for log in logs)
