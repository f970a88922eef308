"""After any end of a run, all files are complete, the message is clear, and the next run continues."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml

from places import ROOT
from studies import TINY, hashes, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = 50
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Hashes of the results of the small study without interruption."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run = snakemake(folder, TINY)
    assert run.returncode == 0, run.stdout
    return hashes(folder)


def started(folder):
    """Start a run of the small study in a separate process group."""
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", "2", "--configfile", config]
    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(list(map(str, command)), start_new_session=True, stdout=log, stderr=log, cwd=folder)


def wait_for(path, seconds=300):
    """Wait until a file exists."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def finish(folder):
    """Unlock the study and run it to its end; return its hashes."""
    assert snakemake(folder, TINY, "--unlock").returncode == 0
    run = snakemake(folder, TINY)
    assert run.returncode == 0, run.stdout
    return hashes(folder)


def test_fifty_kills_at_random_moments_change_no_byte(undisturbed, tmp_path):
    moments = random.Random(1)
    kills, rounds = 0, 0
    while kills < KILLS:
        folder = tmp_path / str(rounds)
        folder.mkdir(exist_ok=True)
        process = started(folder)
        try:
            assert process.wait(moments.uniform(2.0, 14.0)) == 0, (folder / "run.log").read_text()
            assert hashes(folder) == undisturbed
            rounds += 1
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            assert snakemake(folder, TINY, "--unlock").returncode == 0
    assert finish(folder) == undisturbed


def test_a_run_that_is_told_to_end_goes_on_later(undisturbed, tmp_path):
    process = started(tmp_path)
    wait_for(tmp_path / "results/tiny/plan.json")
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(120) != 0
    assert finish(tmp_path) == undisturbed


def test_a_second_run_in_the_same_folder_is_refused_and_disturbs_nothing(undisturbed, tmp_path):
    process = started(tmp_path)
    wait_for(tmp_path / "results/tiny/logs/convert_image")
    second = snakemake(tmp_path, TINY)
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout
    assert process.wait(600) == 0
    assert hashes(tmp_path) == undisturbed


@pytest.fixture
def disk(tmp_path):
    """Folder of a mounted file system of 6 MB, and a function that mounts it with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)

    mount("size=6m")
    yield folder, mount
    subprocess.run(["umount", "--lazy", folder], check=True)


@needs_root
def test_a_full_disk_is_told_and_nothing_half_written_stays(undisturbed, disk):
    folder, mount = disk
    run = snakemake(folder, TINY)
    assert run.returncode != 0
    assert "disk is full" in run.stdout or "No space left on device" in run.stdout
    assert not list((folder / "results").rglob(".partial-*"))
    mount("remount,size=600m")
    assert finish(folder) == undisturbed


@needs_root
def test_a_folder_that_cannot_be_written_is_told(disk):
    folder, mount = disk
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(TINY))
    mount("remount,ro")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", "2", "--configfile", config]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "Read-only file system" in run.stdout + run.stderr
