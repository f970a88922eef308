"""Time that the service adds to `predict`, for a large and a small scan on a warm server.

    python benchmarks/service.py MODEL [--rounds 3]

Both segment the same .nii: the service over HTTP on loopback, from the first byte sent to the last byte of the mask;
`predict` in a warm process, from reading the file to writing the mask. They alternate, and the medians are printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from ctseg.geometry.volume import Grid, Volume  # noqa: E402
from ctseg.inference.engines import load_engine  # noqa: E402
from ctseg.inference.predict import predict  # noqa: E402
from ctseg.scans.nifti import write_nifti  # noqa: E402
from ctseg.scans.read_scan import read_scan  # noqa: E402

DIRECTION = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SCANS = {"512 × 512 × 300": ((300, 512, 512), (0.7, 0.7, 1.0)), "128 × 128 × 128": ((128, 128, 128), (2.0, 2.0, 2.0))}
PORT = 8377


def write_scan(path: Path, shape_zyx: tuple[int, int, int], spacing_xyz_mm: tuple[float, float, float]) -> None:
    """Write a scan of a noisy body in air, with two lungs and a dense ball in each."""
    z, y, x = np.ogrid[tuple(slice(-1, 1, size * 1j) for size in shape_zyx)]
    hu = np.random.default_rng(0).normal(0, 20, shape_zyx).astype(np.float32)
    hu[np.broadcast_to((y / 0.75) ** 2 + (x / 0.9) ** 2 > 1, shape_zyx)] = -1000
    for side in (-0.42, 0.42):
        hu[(z / 0.8) ** 2 + (y / 0.5) ** 2 + ((x - side) / 0.32) ** 2 < 1] -= 850
        hu[((z - 0.2) ** 2 + (y - 0.1) ** 2 + (x - side) ** 2) < 0.003] = 40
    write_nifti(Volume(hu.astype(np.int16), Grid(shape_zyx, spacing_xyz_mm, (0.0, 0.0, 0.0), DIRECTION)), path)


def by_predict(path: Path, engine: object, output: Path) -> float:
    """Seconds from reading the scan to writing the mask."""
    started = time.perf_counter()
    write_nifti(predict(read_scan(path).volume, engine).segmentation, output)
    return time.perf_counter() - started


def by_service(path: Path, client: httpx.Client, output: Path) -> float:
    """Seconds from sending the scan to receiving the mask."""
    started = time.perf_counter()
    with path.open("rb") as stream:
        job = client.post("/v1/segmentations", content=stream).raise_for_status().json()
    while job["state"] not in ("done", "failed"):
        job = client.get(job["links"]["self"], params={"wait_seconds": 30}).json()
    assert job["state"] == "done", job
    output.write_bytes(client.get(job["links"]["nifti"]).content)
    return time.perf_counter() - started


def measure(path: Path, engine: object, client: httpx.Client, rounds: int) -> tuple[float, float]:
    """Median seconds of `predict` and service; asserts that both masks have the same bytes."""
    alone, served = path.with_name("alone.nii.gz"), path.with_name("served.nii.gz")
    seconds = [(by_predict(path, engine, alone), by_service(path, client, served)) for _ in range(rounds)]
    assert alone.read_bytes() == served.read_bytes()
    return tuple(np.median(seconds, axis=0))


def main() -> None:
    """Start the service, measure both, and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    threads = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "serving", "--model", given.model.resolve(), "--port", PORT]
        command += ["--threads", threads, "--folder", folder / "spool"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts")}
        server = subprocess.Popen([*map(str, command)], cwd=ROOT, env=environment)
        try:
            engine = load_engine(given.model, threads)
            transport = httpx.HTTPTransport(retries=20)
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=600, transport=transport) as client:
                while client.get("/healthz").status_code != 200:
                    time.sleep(0.1)
                for text, (shape, spacing) in SCANS.items():
                    write_scan(folder / "scan.nii", shape, spacing)
                    alone, served = measure(folder / "scan.nii", engine, client, given.rounds)
                    print(f"{text}: predict {alone:.2f} s, service {served:.2f} s, {served / alone:.2f} ×")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
