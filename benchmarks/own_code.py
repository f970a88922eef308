"""Time and memory of ctseg's own code against libraries with the same function, to decide whether to keep it.

    python benchmarks/own_code.py [--only runs nifti] [--rounds 5] [--slices 300] [--wall]

Own code is kept if the user waits half as long as with a library, or if it needs a fraction of the memory. Each row
has the module, the measurement, the library, and the ratio of the library's time to that of ctseg. `bare` is the
function alone; `job` is a whole job of the workflow with the function replaced, where that differs; `memory` is the
peak above the memory of the idle process, in a separate process. Rounds of all ways are interleaved; factors are
medians of the ratios of each round. Seconds are CPU seconds in one thread, which other programs on the machine disturb
less than wall time; --wall measures wall time. docs/own_code.md contains the result of one run.
"""

import argparse
import gc
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
os.environ |= dict.fromkeys(THREADS, "1")

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts"), str(ROOT / "tests" / "support")]

from benchmarks import metrics, own_code_ways  # noqa: E402
from ctseg.geometry.volume import Grid, Volume  # noqa: E402

SPACING_XYZ_MM = (0.7, 0.7, 1.0)
MEMORY_SLICES = (300, 600)  # with fewer slices ctseg also holds volumes in memory

Ways = dict[str, Callable[[], Any]]


def grid_of(shape_zyx: tuple[int, int, int]) -> Grid:
    """Axial grid with `SPACING_XYZ_MM`."""
    return Grid(shape_zyx, SPACING_XYZ_MM, (0.0, 0.0, 0.0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def seconds(way: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Seconds of a call, by the given clock."""
    gc.collect()
    start = clock()
    way()
    return clock() - start


def compare(what: str, size: str, ways: Ways, rounds: int, clock: Callable[[], float]) -> None:
    """Print a row for each way except the first, which is that of ctseg."""
    for way in ways.values():
        way()  # loads imports, tables, and files into the system's cache
    times = [{name: seconds(way, clock) for name, way in ways.items()} for _ in range(rounds)]
    own = next(iter(ways))
    first = statistics.median(found[own] for found in times)
    for name in list(ways)[1:]:
        factor = statistics.median(found[name] / found[own] for found in times)
        row(what, size, name, f"{first:.3f} s", f"{factor:.1f} ×")


def row(*cells: str) -> None:
    """Print a row of the table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def children_seconds() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare_jobs(what: str, size: str, names: dict[str, str], folder: str, given: argparse.Namespace) -> None:
    """Print rows for whole jobs: processes that read the files of a folder and run one way on them."""

    def job(way: str) -> None:
        subprocess.run([sys.executable, "-W", "ignore", __file__, "--job-of", way, folder], check=True)

    ways: Ways = {name: lambda way=way: job(way) for name, way in names.items()}
    compare(what, size, ways, min(given.rounds, 3), time.perf_counter if given.wall else children_seconds)


def peak_mib(way: str, slices: int) -> float:
    """Peak memory of one way in MiB above the memory of the process before it, in a separate process."""
    program = [sys.executable, __file__, "--peak-of", way, "--slices", str(slices)]
    return float(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


def compare_memory(what: str, own: str, library: str, name: str) -> None:
    """Print memory rows of two ways at two sizes, to show which memory grows with the scan."""
    for slices in MEMORY_SLICES:
        first, second = peak_mib(own, slices), peak_mib(library, slices)
        size = f"{slices} × 512 × 512"
        row(what, size, name, f"{first:.0f} MiB", f"{second / first:.1f} ×")


def surfaces(given: argparse.Namespace) -> None:
    """Compare surface distances between two masks."""
    pair = metrics.masks((given.slices * 2 // 5, 256, 256), 3)
    tools = {"own": metrics.by_ctseg, "surface-distance": metrics.by_deepmind, "MONAI": metrics.by_monai}
    ways: Ways = {name: lambda tool=tool: tool(*pair) for name, tool in tools.items()}
    ways["SciPy's distance transform"] = lambda: own_code_ways.surfaces_by_scipy(*pair)
    ways["SimpleITK, Hausdorff alone"] = lambda: own_code_ways.hausdorff_by_itk(*pair)
    size = f"{given.slices * 2 // 5} × 256 × 256, 3 lesions"
    compare("`surface_distances`, bare", size, ways, min(given.rounds, 3), given.clock)
    with tempfile.TemporaryDirectory() as folder:
        own_code_ways.write_masks(folder, *pair)
        compare_jobs("`surface_distances`, job", size, {name: name for name in tools}, folder, given)


def runs(given: argparse.Namespace) -> None:
    """Compare the removal of small components from a segmentation."""
    shape = (given.slices, 512, 512)
    segmentations = {
        "20 lesions": metrics.masks(shape, 20)[0].astype(np.uint8),
        "two lungs": own_code_ways.lungs(shape),
    }
    for name, voxels in segmentations.items():
        ways: Ways = {
            "own": lambda voxels=voxels: own_code_ways.without_small(voxels),
            "cc3d": lambda voxels=voxels: own_code_ways.without_small_by_cc3d(voxels),
            "SciPy": lambda voxels=voxels: own_code_ways.without_small_by_scipy(voxels),
            "SimpleITK": lambda voxels=voxels: own_code_ways.without_small_by_itk(voxels),
        }
        size = f"{given.slices} × 512 × 512, {name}"
        compare("`run_lengths`, bare", size, ways, min(given.rounds, 3), given.clock)
        with tempfile.TemporaryDirectory() as folder:
            own_code_ways.write_masks(folder, voxels, voxels)
            compare_jobs("`run_lengths`, job", size, {"own": "runs", "cc3d": "cc3d"}, folder, given)
    compare_memory("`run_lengths`, memory", "runs", "cc3d", "cc3d")


def nifti(given: argparse.Namespace) -> None:
    """Compare reading and writing of .nii.gz."""
    voxels = own_code_ways.body((given.slices // 3, 512, 512))
    volume = Volume(voxels, grid_of(voxels.shape))
    size = f"{given.slices // 3} × 512 × 512, int16"
    with tempfile.TemporaryDirectory() as folder:
        compare("`nifti`, writing, bare", size, own_code_ways.writers(volume, folder), given.rounds, given.clock)
        compare("`nifti`, reading, bare", size, own_code_ways.readers(volume, folder), given.rounds, given.clock)
    compare_memory("`nifti`, writing, memory", "write", "write by nibabel", "nibabel on isal")
    compare_memory("`nifti`, reading, memory", "read", "read by nibabel", "nibabel on isal")


def dicom(given: argparse.Namespace) -> None:
    """Compare reading the pixels of uncompressed DICOM slices."""
    from benchmarks.convert import make_series
    from ctseg.dicom import slice as slices
    from ctseg.dicom.header import list_headers
    from ctseg.scans.read_scan import read_scan

    with tempfile.TemporaryDirectory() as folder:
        number = given.slices // 3
        make_series(Path(folder), number, 512)
        parts = [slices.parse_slice(header) for header in list_headers(folder)]
        pixels: dict[str, Callable[[slices.Slice], np.ndarray]] = {
            "own": slices._stored_values,
            "pydicom's pixel_array": own_code_ways.by_pydicom,
        }
        size = f"{number} slices of 512 × 512"
        bare: Ways = {name: lambda way=way: [way(part) for part in parts] for name, way in pixels.items()}
        compare("`slice`, bare", size, bare, given.rounds, given.clock)

        def job(way: Callable[[slices.Slice], np.ndarray]) -> None:
            with patch.object(slices, "_stored_values", way):
                read_scan(folder)

        whole: Ways = {name: lambda way=way: job(way) for name, way in pixels.items()}
        compare("`slice`, reading the series", size, whole, given.rounds, given.clock)


def server(given: argparse.Namespace) -> None:
    """Compare inference jobs of small scans with and without a shared process, and the transport of tasks to it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        ways = own_code_ways.served(Path(folder))
        size = "a job with a scan of 64 × 64 × 64"
        compare("`engine_server`, job", size, ways, given.rounds, time.perf_counter)
        carried: Ways = own_code_ways.carried(Path(folder))
        compare("`engine_server`, 100 tasks carried", "nothing computed", carried, given.rounds, time.perf_counter)


PARTS = {"surfaces": surfaces, "runs": runs, "nifti": nifti, "dicom": dicom, "server": server}


def print_peak(way: str, slices: int) -> None:
    """Print the peak memory of a way above the memory before it, in MiB (only on Linux)."""
    with tempfile.TemporaryDirectory() as folder:
        run = own_code_ways.memory_ways(Path(folder), slices)[way]
        Path("/proc/self/clear_refs").write_text("5")
        before = _peak_kib()
        run()
        print((_peak_kib() - before) / 1024)


def _peak_kib() -> int:
    """Peak resident memory in KiB since the last reset."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


def main() -> None:
    """Measure the parts in --only and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--wall", action="store_true", help="take the clock, not the processor's time")
    parser.add_argument("--peak-of", help="print the memory of one way, as this script does itself")
    parser.add_argument("--job-of", nargs=2, help="do the job of one way with the files of a folder, the same")
    given = parser.parse_args()
    if given.job_of:
        own_code_ways.job(*given.job_of)
        return
    given.clock = time.perf_counter if given.wall else time.process_time
    if given.peak_of:
        print_peak(given.peak_of, given.slices)
        return
    row("what", "size", "library's way", "own", "library's : own")
    row(*["---"] * 5)
    for part in given.only:
        PARTS[part](given)


if __name__ == "__main__":
    main()
