"""Small study on a real Slurm with profiles/slurm: actions of the cluster on jobs do not change the results."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import cluster
from places import ROOT
from studies import TINY, hashes, merged, snakemake

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]

# The requested GPU is not used: this torch has no CUDA and trains on the CPU.
STUDY = merged(TINY, {"train": {"gpus": 1}})
# No accounting, and no patience.
HERE = (
    "--slurm-status-command",
    "squeue",
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--slurm-keep-successful-logs",
)


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory):
    """Folder of a Slurm that runs for all tests of this file."""
    if cluster.missing():
        pytest.skip(f"a real Slurm needs {', '.join(cluster.missing())}; `make test-slurm` installs it")
    folder = tmp_path_factory.mktemp("slurm")
    with cluster.slurm(folder):
        yield folder


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Hashes of the results of the same study without Slurm."""
    folder = tmp_path_factory.mktemp("local")
    run = snakemake(folder, STUDY)
    assert run.returncode == 0, run.stdout
    return hashes(folder)


def submitted(folder: Path, study: dict, *arguments: str, profile: str = "slurm") -> subprocess.Popen:
    """Start the study on the cluster; its output goes to `run.log`."""
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--workflow-profile", ROOT / "profiles" / profile, "--configfile", config]
    command += ["--cores", "2", "--latency-wait", "10", *arguments]
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=folder)


def finish(folder: Path, process: subprocess.Popen) -> str:
    """Wait for the end of a run; return its output."""
    code = process.wait()
    printed = (folder / "run.log").read_text()
    assert code == 0, printed[-6000:]
    return printed


def jobs_of(rule: str, state: str = "all") -> list[str]:
    """Slurm job ids of a rule."""
    lines = cluster.run("squeue", "-h", f"--states={state}", "-o", "%i %k").splitlines()
    return [line.split()[0] for line in lines if line.split()[1].startswith(f"rule_{rule}")]


def slurm_logs(folder: Path, rule: str) -> str:
    """Slurm logs of the jobs of a rule or of a group with its name."""
    files = (folder / ".snakemake/slurm_logs").rglob("*.log")
    return "".join(path.read_text() for path in sorted(files) if rule in str(path))


def wait_for(path: Path, seconds: float = 400) -> None:
    """Wait until a file exists."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.1)


def devices(slurm_folder: Path) -> dict[str, str]:
    """CUDA_VISIBLE_DEVICES of each Slurm job, by job id; `none` if the variable was not set."""
    lines = (slurm_folder / "devices.txt").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def test_the_study_has_the_bytes_of_a_local_run_and_only_training_sees_a_gpu(slurm, local, tmp_path):
    printed = finish(tmp_path, submitted(tmp_path, STUDY, *HERE))
    assert hashes(tmp_path) == local
    numbers = re.findall(r"SLURM jobid (\d+)", printed)
    trained = set(jobs_of("train"))
    assert trained & set(numbers)
    given = devices(slurm)
    for number in numbers:
        assert given[number] == ("0" if number in trained else "none")
    # One Slurm job imports three cases; the tables of the whole study need no Slurm job.
    assert len([line for line in printed.splitlines() if "group_intake" in line]) == 1
    assert not jobs_of("tabulate_cohort")
    assert (tmp_path / "results/tiny/cohort.tsv").exists()


def test_a_job_that_was_killed_for_memory_gets_more_and_succeeds(slurm, local, tmp_path):
    study = merged(STUDY, {"resources": {"memory_factor": 0.15}})
    printed = finish(tmp_path, submitted(tmp_path, study, *HERE))
    assert "Exceeded job memory limit" in slurm_logs(tmp_path, "rule_make_phantom")
    assert "Trying to restart job" in printed
    jobs = cluster.run("squeue", "-h", "--states=all", "-o", "%k %m %T").splitlines()
    ends = {line.partition(" ")[2] for line in jobs if line.startswith("rule_make_phantom_wildcards_phantom-000")}
    assert {"153M FAILED", "307M COMPLETED"} <= ends
    assert hashes(tmp_path) == local


@pytest.mark.parametrize("how", ["requeued", "cancelled"])
def test_training_that_is_taken_from_its_node_goes_on_where_it_was(slurm, tmp_path_factory, tmp_path, how):
    study = merged(STUDY, {"train": {"steps": 200, "validate_every": 10, "patience": 1000}})
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    assert snakemake(undisturbed, study).returncode == 0
    process = submitted(tmp_path, study, *HERE)
    wait_for(tmp_path / "results/tiny/folds/0/checkpoint.pt")
    (number,) = jobs_of("train", "RUNNING")
    cluster.run(*{"requeued": ["scontrol", "requeue", number], "cancelled": ["scancel", number]}[how])
    finish(tmp_path, process)
    assert "resumed at step" in (tmp_path / "results/tiny/logs/train/0.log").read_text()
    assert hashes(tmp_path) == hashes(undisturbed)
    assert len(set(jobs_of("train"))) >= {"requeued": 1, "cancelled": 2}[how]


def test_the_profile_for_other_schedulers_submits_with_any_command(local, tmp_path):
    command = "sbatch --parsable --cpus-per-task={threads} --mem={resources.mem_mb} --time={resources.runtime}"
    command += " --gres=gpu:{resources.gpu} --comment={name}"
    ways = ("--cluster-generic-submit-cmd", command, "--cluster-generic-cancel-cmd", "scancel")
    finish(tmp_path, submitted(tmp_path, STUDY, *ways, "--", "results/tiny/plan.json", profile="generic"))
    assert hashes(tmp_path).items() <= local.items()
    completed = cluster.run("squeue", "-h", "--states=completed", "-o", "%k").split()
    assert "make_phantom" in completed
    assert any(name.startswith("intake") for name in completed)
