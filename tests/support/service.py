"""Service for tests: the real command on a free port, and the actions of clients."""

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from command import with_folders
from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import write_nifti
from places import ROOT, SCRIPTS
from processes import stop

FINAL = ("done", "failed", "cancelled")


@dataclass
class Served:
    """A running service and its HTTP client."""

    process: subprocess.Popen
    client: httpx.Client
    log: Path
    folder: Path

    @property
    def url(self):
        return str(self.client.base_url).rstrip("/")

    def post(self, content, **more):
        return self.client.post("/v1/segmentations", content=content, **more)

    def ended(self, job_id, seconds=60):
        """JSON of the job after its end. Raises TimeoutError."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            job = self.client.get(f"/v1/segmentations/{job_id}", params={"wait_seconds": 10}).json()
            if job["state"] in FINAL:
                return job
        raise TimeoutError(job)

    def segment(self, content):
        """Segment a scan; return the bytes of the mask and the JSON of the result."""
        answer = self.post(content)
        assert answer.status_code == 202, answer.text
        job = self.ended(answer.json()["id"])
        assert job["state"] == "done", job
        return self.client.get(job["links"]["nifti"]).content, self.client.get(job["links"]["json"]).json()


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@contextmanager
def serving(model, folder, *flags, token="", port=None):
    """Run the service; yields a `Served` when it is ready."""
    port = port or free_port()
    folder.mkdir(exist_ok=True)
    log = folder / f"{port}.log"
    command = [sys.executable, "-m", "serving", "--model", model, "--port", port, "--folder", folder / "spool"]
    environment = with_folders(SCRIPTS, CTSEG_TOKEN=token)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*map(str, command), "--threads", "1", *map(str, flags)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=headers) as client:
            served = Served(process, client, log, folder / "spool")
            wait_until_ready(served)
            yield served
    finally:
        stop(process)


def wait_until_ready(served, seconds=60):
    """Wait until the model is loaded."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if served.process.poll() is not None:
            break
        try:
            if served.client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(served.log.read_text())


def worker_pid(served):
    """Process id of the worker: the last spawned child of the server that is no resource tracker."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    for task in Path(f"/proc/{served.process.pid}/task").iterdir():
        children += (task / "children").read_text().split()
    workers = {int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}
    return max(workers)


def resident_mib(served):
    """Resident memory of the server in MiB."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{served.process.pid}/status").read_text())[1]) / 1024


def big_scan(path):
    """Write a scan that takes at least a second to segment; return the bytes of the file."""
    shape = (200, 300, 300)
    hu = np.random.default_rng(0).normal(-400, 80, shape).astype(np.int16)
    hu[0, 0, :2] = -1000, 100
    write_nifti(Volume(hu, Grid(shape, (2.0,) * 3, (0.0,) * 3, tuple(np.eye(3).tolist()))), path)
    return path.read_bytes()


def wait_until_running(served, job, seconds=60):
    limit = time.monotonic() + seconds
    while served.client.get(f"/v1/segmentations/{job}").json()["state"] != "running":
        assert time.monotonic() < limit
        time.sleep(0.01)
    time.sleep(0.2)
