"""Runs of the real snakemake on small studies."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from places import ROOT

CODE = ("Snakefile", "config.yaml", "requirements.txt", "rules", "workflow_scripts", "profiles", "envs")
TINY = {
    "study": "tiny",
    "cases": {
        "source": "phantom",
        "phantom": {"patients": 3, "spacing_mm": [4.0, 4.5], "slice_distance_mm": [6.0, 7.0], "nodules": [4, 6]},
    },
    "split": {"test_fraction": 0.3, "validation_fraction": 0.3},
    "plan": {"spacing_mm": [5, 5, 6], "patch_size": [16, 16, 16], "batch_size": 2},
    "network": {"architecture": "unet", "channels": [4, 8, 8]},
    "train": {"steps": 6, "validate_every": 3, "warmup_steps": 1},
    "infer": {"compare_cases": 0},
    "resources": {"threads": 2, "free_disk_gib": 0},
}


def merged(base, changes):
    """Copy of a nested dict with some values replaced."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(base[key], value) if isinstance(value, dict) and key in base else value
    return result


def snakemake(folder: Path, study: dict, *arguments: str, checkout: Path | None = None) -> subprocess.CompletedProcess:
    """Run the workflow of `checkout` in `folder` with the config `study`; `stdout` contains both output streams."""
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(study))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        (checkout or ROOT) / "Snakefile",
        "--directory",
        folder,
    ]
    command += ["--cores", "2", "--configfile", config, *arguments]
    return subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=folder
    )


def copy_checkout(folder: Path) -> Path:
    """Copy all files that the workflow needs into an existing folder, so that a test can change them."""
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def planned_jobs(folder: Path, study: dict, *arguments: str, checkout: Path | None = None) -> dict[str, int]:
    """Number of planned jobs of each rule in a dry run."""
    run = snakemake(folder, study, "--dry-run", *arguments, checkout=checkout)
    assert run.returncode == 0, run.stdout
    table = re.search(r"Job stats:\njob .*\n-+.*\n((?:.+\n)+)", run.stdout)
    lines = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in lines if rule not in ("all", "total")}


def planned(folder: Path, study: dict, *arguments: str) -> set[str]:
    """Rules that a dry run plans to run."""
    return set(planned_jobs(folder, study, *arguments))


TIMED = ("logs", "benchmarks", "provenance", "report.html")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each result file, except the files with times (`TIMED`), by path."""
    results = folder / "results" / "tiny"
    files = [path for path in sorted(results.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.relative_to(results).parts[0] not in TIMED
    }
