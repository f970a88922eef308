"""What reading and planning a study of many cases costs, beside two bare workflows of as many jobs.

    python benchmarks/orchestration.py [--cases 100 1000 5000] [--rounds 3]

The jobs of `copies` copy one file each by a shell command, which is the least that Snakemake plans. Those of `scripts`
have a script, up to six inputs of the steps before, and 20 tables of all cases: as many inputs as in the study, which
Snakemake looks up one by one. What the study takes more than that is its own. All are planned from nothing, and once
more when all outputs are there. The scans are empty files: planning opens none. Seconds are medians of rounds in which
the three take turns; memory is the largest of the process.
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
# Snakemake sleeps for 0.1 s after each job that it touches: more than ten minutes with 7,000 jobs.
AWAKE = (
    "from snakemake.executors.touch import Executor; Executor.SLEEPING_TIME = 0; from snakemake.cli import main; main()"
)
DIRECTORIES = ("viewer",)  # among the outputs
INPUTS, TABLES = 6, 20  # inputs of a job at most, and jobs that read a file of each case; as many as in the study
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


TABLE = """
rule table{number}:
    input: expand("{place}/{{case}}", case=range({cases}))
    output: "table{number}"
    {action}
"""


def bare(folder: Path, cases: int, jobs: int, inputs: int, tables: int, action: str) -> list[str]:
    """A workflow of about as many jobs: steps for each case, each of which reads up to `inputs` of those before it.

    `tables` further jobs read a file of each case.
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
    """Make all outputs as empty files, and let Snakemake note that its jobs made them."""
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
    """Print a table."""
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
