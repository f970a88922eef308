"""What reading and planning a study of many cases costs, beside a workflow of as many jobs that copy files.

    python benchmarks/orchestration.py [--cases 100 1000 5000] [--rounds 3]

Both are planned from nothing, and once more when all outputs are there. The scans are empty files: planning opens none.
Seconds are medians of rounds in which the two take turns; memory is the largest of the process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
COPIES = """
rule all:
    input:
        expand("last/{{case}}", case=range({cases})),
{rules}
rule start:
    output: "first/{{case}}"
    shell: "touch {{output}}"
"""
COPY = """
rule step{number}:
    input: "{before}/{{case}}"
    output: "{after}/{{case}}"
    params: step={{"number": {number}}}
    shell: "cp {{input}} {{output}}"
"""


@dataclass(frozen=True)
class Cost:
    """Of one call of snakemake."""

    seconds: float
    memory_mib: float
    jobs: int


def plan(command: list[str]) -> Cost:
    """A dry run: how long, how much memory, how many jobs."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--dry-run", "--quiet", "rules"], stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    assert status == 0, text[-2000:]
    total = [line.split()[1] for line in text.splitlines() if line.startswith("total ")]
    return Cost(seconds, usage.ru_maxrss / 1024, int(total[0]) if total else 0)


def study(folder: Path, cases: int) -> list[str]:
    """A study with empty files for scans and labels; the command that runs it."""
    (folder / "data").mkdir(parents=True)
    rows = ["case\timage\tlabel"]
    for number in range(cases):
        paths = [folder / "data" / f"{number:05d}.{kind}.nii.gz" for kind in ("image", "label")]
        for path in paths:
            path.touch()
        rows.append(f"case-{number:05d}\t{paths[0]}\t{paths[1]}")
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")
    config = {"study": "many", "cases": {"source": "table", "table": str(folder / "cases.tsv")}}
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*command, "--cores", "2", "--configfile", str(folder / "study.yaml")]


def copies(folder: Path, cases: int, jobs: int) -> list[str]:
    """A workflow of about as many jobs, which copy a file from step to step for each case."""
    steps = max(1, round(jobs / cases) - 1)
    places = ["first", *(f"step{number}" for number in range(1, steps)), "last"]
    rules = [COPY.format(number=n, before=places[n], after=places[n + 1]) for n in range(steps)]
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text(COPIES.format(cases=cases, rules="".join(rules)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    return [*command, "--directory", str(folder), "--cores", "2", "--scheduler", "greedy"]


def pretend_finished(command: list[str], folder: Path) -> None:
    """Make all outputs as empty files, and let Snakemake note that its jobs made them."""
    run = subprocess.run([*command, "--summary"], capture_output=True, text=True, check=True, cwd=folder)
    for line in run.stdout.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subprocess.run([*command, "--touch", "--quiet", "all"], check=True, cwd=folder, capture_output=True)
    assert plan(command).jobs == 0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("cases\tjobs\tstate\tseconds\tcp_seconds\tratio\tMiB\tcp_MiB")
    for cases in given.cases:
        with tempfile.TemporaryDirectory() as name:
            ours = study(Path(name) / "study", cases)
            jobs = plan(ours).jobs
            theirs = copies(Path(name) / "copies", cases, jobs)
            for state in ("from nothing", "finished"):
                if state == "finished":
                    pretend_finished(ours, Path(name) / "study")
                    pretend_finished(theirs, Path(name) / "copies")
                pairs = [(plan(ours), plan(theirs)) for _ in range(given.rounds)]
                seconds = np.median([[cost.seconds for cost in pair] for pair in pairs], axis=0)
                memory = np.max([[cost.memory_mib for cost in pair] for pair in pairs], axis=0)
                told = [f"{value:.1f}" for value in (*seconds, seconds[0] / seconds[1])]
                print(cases, jobs, state, *told, *(f"{value:.0f}" for value in memory), sep="\t", flush=True)


if __name__ == "__main__":
    main()
