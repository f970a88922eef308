"""Time and peak memory of converting one DICOM series to .nii.gz: ctseg against dcm2niix and dicom2nifti.

    pip install -r benchmarks/requirements.txt
    python benchmarks/convert.py [--slices 300] [--size 512] [--runs 5]

The script writes the series into a temporary folder: a noisy body in air, stored as 16 bits without compression. Each
run is a separate process, since one conversion is one job; the runs are interleaved and the medians compared. The
process of ctseg does the same as the rule convert_image, including checks and sidecar.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests" / "support")]

from ctseg.geometry.volume import Grid  # noqa: E402
from dicom_files import INTERCEPT, ct_slice, write  # noqa: E402

CTSEG = """
import sys
sys.path.insert(0, sys.argv[1])
from ctseg.files import write_json
from ctseg.scans.read_scan import read_scan
from ctseg.scans.nifti import write_nifti
scan = read_scan(sys.argv[2])
write_nifti(scan.volume, sys.argv[3] + "/ctseg.nii.gz")
write_json(sys.argv[3] + "/ctseg.json", scan.facts)
"""
DICOM2NIFTI = "import sys, dicom2nifti; dicom2nifti.dicom_series_to_nifti(sys.argv[1], sys.argv[2] + '/d2n.nii.gz')"


def make_series(folder: Path, slices: int, size: int) -> None:
    """Write a DICOM series of uint16 slices: a round body of soft tissue with noise in air."""
    y, x = np.indices((size, size)) / size - 0.5
    inside = np.hypot(x, y * 1.3) < 0.4
    rng = np.random.default_rng(0)
    grid = Grid((slices, size, size), (0.7, 0.7, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    for index in range(slices):
        noise = rng.normal(0, 20, (size, size))
        hu = np.where(inside, 40 + noise, -1000 + noise / 2).clip(-1024, 3071)
        stored = (hu - INTERCEPT).astype(np.uint16)
        write(ct_slice(stored, grid, index, InstanceNumber=index + 1), folder / f"{index}.dcm")


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MiB of a command and its children."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"{command[0]} failed: {error.decode()[-500:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def medians(runs: list[tuple[float, float]]) -> tuple[float, float]:
    """Median seconds and median MiB of the runs."""
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


def main() -> None:
    """Make the series, run all programs in turn, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", default=str(Path(sys.executable).parent), help="folder with dcm2niix and its python")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        series, out = f"{folder}/series", f"{folder}/out"
        Path(out).mkdir()
        make_series(Path(series), given.slices, given.size)
        programs = {
            "ctseg": [sys.executable, "-c", CTSEG, str(ROOT / "workflow_scripts"), series, out],
            "dcm2niix -z y": [f"{given.peers}/dcm2niix", *["-z", "y", "-w", "1", "-f", "dcm2niix", "-o"], out, series],
            "dicom2nifti": [f"{given.peers}/python", "-c", DICOM2NIFTI, series, out],
        }
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for _ in range(given.runs):
            for name, command in programs.items():
                runs[name].append(measured(command))
        volume_mib = given.slices * given.size**2 * 2 / 2**20
        print(
            f"{given.slices} slices of {given.size} x {given.size}, {volume_mib:.0f} MiB; medians of {given.runs} runs"
        )
        own_s, _ = medians(runs["ctseg"])
        for name in programs:
            seconds, mib = medians(runs[name])
            times, volumes = seconds / own_s, mib / volume_mib
            print(f"{name:14} {seconds:6.2f} s ({times:5.2f} x ctseg) {mib:6.0f} MiB ({volumes:.2f} x volume)")


if __name__ == "__main__":
    main()
