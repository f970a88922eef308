"""Cost of a small scan in the workflow, with one process for all cases and with one process per case.

    python benchmarks/many_scans.py MODEL OUT [--scans 30] [--size 64] [--rounds 3]

MODEL is any model.onnx. Simulated scans of SIZE³ voxels are converted once; then the rule infer runs on all of them,
alternating between `infer.cases_per_job` 1 and the number of scans. The table has the median time of the whole command,
including Snakemake itself, and of all jobs together.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.geometry.volume import Grid, Volume  # noqa: E402
from ctseg.scans.nifti import write_nifti  # noqa: E402

UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def make_scans(out: Path, count: int, size: int) -> None:
    """Write scans of soft tissue noise with two slices of air at one end."""
    grid = Grid((size,) * 3, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), UPRIGHT)
    for number in range(count):
        hu = np.random.default_rng(number).normal(0, 80, grid.shape_zyx).astype(np.int16)
        hu[:2] = -1000
        write_nifti(Volume(hu, grid), out / "data" / f"case_{number:03}" / "image.nii.gz")


def workflow(out: Path, *arguments: str) -> float:
    """Run the workflow; return the seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(out)]
    command += ["--cores", "all", "--configfile", str(out / "study.yaml"), *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Run both settings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scans", type=int, default=30)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    out = given.out.resolve()
    make_scans(out, given.scans, given.size)
    study = yaml.safe_load((ROOT / "studies" / "predict.yaml").read_text())
    study |= {"model": str(given.model.resolve())}
    study["cases"]["image"] = "data/{case}/image.nii.gz"
    study["target"]["region"] = "body"
    rows = []
    for turn in range(given.rounds + 1):
        for cases in (1, given.scans):
            study["infer"]["cases_per_job"] = cases
            (out / "study.yaml").write_text(yaml.safe_dump(study))
            whole_s = workflow(out, "--until", "infer", *(["--forcerun", "infer"] if turn else []))
            jobs = [pd.read_csv(path, sep="\t") for path in (out / "results/predict/benchmarks/infer").glob("*.tsv")]
            if turn:  # round 0 also converts the scans
                rows.append(
                    {"cases_per_job": cases, "whole_s": whole_s, "jobs_s": sum(job["s"].iloc[0] for job in jobs)}
                )
    table = pd.DataFrame(rows).groupby("cases_per_job").agg(statistics.median)
    table["s_a_case"] = table["jobs_s"] / given.scans
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
