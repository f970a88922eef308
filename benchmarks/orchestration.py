"""Time and memory to read and plan a study of many cases, against two bare workflows with as many jobs.

    python benchmarks/orchestration.py [--cases 100 1000 5000] [--rounds 3]

Each job of `copies` copies one file by a shell command, the minimum that Snakemake plans. The jobs of `scripts` have a
script and up to six inputs of earlier steps, and 20 further jobs read a file of each case: as many inputs as in the
study, which Snakemake looks up one by one. The additional time of the study is caused by its own code. All are planned
without outputs, and again when all outputs exist. The scans are empty files, because planning opens no scan. Seconds
are medians of rounds in which the three alternate; memory is the peak of the process.
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
# With --touch, Snakemake sleeps for 0.1 s after each job: more than ten minutes for 7,000 jobs.
AWAKE = (
    "from snakemake.executors.touch import Executor; Executor.SLEEPING_TIME = 0; from snakemake.cli import main; main()"
)
DIRECTORIES = ("viewer",)  # outputs that are folders
INPUTS, TABLES = 6, 20  # most inputs of a job, and number of jobs that read a file of each case, as in the study
BARE = """
rule all:
    input:
        expand("{last}/{{case}}", case=range({cases})),
        expand("table{{number}}", number=range({tables})),
{rules}
rule start:
    output: "step0/{{case}}"
    shell: "touch {{output}}"
"""
STEP = """
rule step{number}:
    input: {before}
    output: "step{number}/{{case}}"
    params: step={{"number": {number}}}
    {action}
"""


@dataclass(frozen=True)
class Cost:
    """Time, peak memory and number of jobs of one call of snakemake."""

    seconds: float
    memory_mib: float
    jobs: int


def plan(command: list[str]) -> Cost:
    """Cost of a dry run."""
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
    """Write a study with empty files as scans and labels; return the command that runs it."""
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


TABLE = """
rule table{number}:
    input: expand("{place}/{{case}}", case=range({cases}))
    output: "table{number}"
    {action}
"""


def bare(folder: Path, cases: int, jobs: int, inputs: int, tables: int, action: str) -> list[str]:
    """Write a workflow with about `jobs` jobs; return the command that runs it.

    Each case has a chain of steps, which read up to `inputs` earlier steps; `tables` further jobs read a file of each
    case.
    """
    steps = max(1, round(jobs / cases) - 1)
    rules = [
        STEP.format(
            number=number,
            before=", ".join(f'"step{earlier}/{{case}}"' for earlier in range(max(0, number - inputs), number)),
            action=action,
        )
        for number in range(1, steps + 1)
    ]
    rules += [
        TABLE.format(number=number, place=f"step{number % steps}", cases=cases, action=action)
        for number in range(tables)
    ]
    folder.mkdir(parents=True)
    (folder / "step.py").touch()
    text = BARE.format(cases=cases, last=f"step{steps}", tables=tables, rules="".join(rules))
    (folder / "Snakefile").write_text(text)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    return [*command, "--directory", str(folder), "--cores", "2", "--scheduler", "greedy"]


def pretend_finished(command: list[str], folder: Path) -> None:
    """Create all outputs as empty files, and let Snakemake record them as finished (--touch)."""
    run = subprocess.run([*command, "--summary"], capture_output=True, text=True, check=True, cwd=folder)
    for line in run.stdout.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        if path.name in DIRECTORIES:
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    python, _, _, *arguments = command
    touch = [python, "-c", AWAKE, *arguments, "--touch", "--quiet", "all"]
    subprocess.run(touch, check=True, cwd=folder, capture_output=True)
    assert plan(command).jobs == 0


def main() -> None:
    """Measure all workflows and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    names = ("study", "copies", "scripts")
    columns = ["cases", "jobs", "state", *(f"{name}_seconds" for name in names), "to_copies", "to_scripts"]
    print(*columns, *(f"{name}_MiB" for name in names), sep="\t")
    for cases in given.cases:
        with tempfile.TemporaryDirectory() as name:
            ours = study(Path(name) / "study", cases)
            jobs = plan(ours).jobs
            commands = {
                "study": ours,
                "copies": bare(Path(name) / "copies", cases, jobs, 1, 0, 'shell: "cp {input} {output}"'),
                "scripts": bare(Path(name) / "scripts", cases, jobs, INPUTS, TABLES, 'script: "step.py"'),
            }
            for state in ("from nothing", "finished"):
                if state == "finished":
                    for kind, command in commands.items():
                        pretend_finished(command, Path(name) / kind)
                rounds = [[plan(command) for command in commands.values()] for _ in range(given.rounds)]
                seconds = np.median([[cost.seconds for cost in costs] for costs in rounds], axis=0)
                memory = np.max([[cost.memory_mib for cost in costs] for costs in rounds], axis=0)
                told = [f"{value:.1f}" for value in seconds] + [f"{seconds[0] / value:.2f}" for value in seconds[1:]]
                print(cases, jobs, state, *told, *(f"{value:.0f}" for value in memory), sep="\t", flush=True)


if __name__ == "__main__":
    main()
