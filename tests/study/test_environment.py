"""Missing requirements of the machine are reported once, before any job."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from ctseg.errors import InputError
from ctseg.study.environment import check_environment, nearest
from places import ROOT
from real_data import report
from studies import TINY, merged, snakemake

PYTHON = "/opt/env/bin/python3.11"


def complaint(*arguments):
    with pytest.raises(InputError) as raised:
        check_environment(*arguments)
    return str(raised.value)


def test_a_machine_that_has_all_is_let_through(tmp_path):
    check_environment(PYTHON, tmp_path / "results/study", 0.001)
    check_environment("/home/müller/ct-seg_1.0+x/bin/python", tmp_path / "results/study", 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        *[(name, "a blank") for name in ("My Drive", "OneDrive - X", "a\tb")],
        *[(f"a{mark}b", f"the character {mark}") for mark in "'&()$;\"\\"],
    ],
)
def test_a_path_that_the_shell_would_take_apart_is_told_with_what_to_do(tmp_path, folder, what):
    text = complaint(f"/home/x/{folder}/.venv/bin/python", tmp_path / "results/study", 0)
    assert f"the path of the Python environment has {what}" in text
    assert f"/home/x/{folder}/.venv/bin/python" in text
    assert "make demo VENV=" in text
    assert len(text.splitlines()) == 1


def test_what_the_shell_takes_apart_is_what_is_refused(tmp_path):
    for character in map(chr, [*range(32, 127), 9, 228]):
        if character in "/.":
            continue
        link = tmp_path / f"a{character}b" / "python"
        link.parent.mkdir()
        link.write_text("#!/bin/sh\necho started\n")
        link.chmod(0o755)
        run = subprocess.run(["bash", "-c", f"{link} -m snakemake"], capture_output=True, text=True, check=False)
        works = run.stdout == "started\n"
        try:
            check_environment(str(link), tmp_path / "results", 0)
            assert works, character
        except InputError:
            assert not works or character in "*?", character  # these may also match other paths


def test_a_disk_without_room_is_told_with_its_folder_and_the_key(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    rooms = {tmp_path: 5 * 2**30, tmp_path / "tmp": 2**28}
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, rooms[Path(path)]))
    text = complaint(PYTHON, tmp_path / "results/study", 1.0, tmp_path / "tmp")
    assert "temporary files (TMPDIR)" in text
    assert f"{tmp_path / 'tmp'}, has 0.25 GiB free, less than the 1 GiB of resources.free_disk_gib" in text
    assert "disk for results" not in text
    assert "disk for results" in complaint(PYTHON, tmp_path / "results/study", 6.0, tmp_path / "tmp")
    check_environment(PYTHON, tmp_path / "results/study", 0.25, tmp_path / "tmp")
    check_environment(PYTHON, tmp_path / "results/study", 0, tmp_path / "tmp")


def test_a_file_in_the_place_of_results_is_told(tmp_path):
    (tmp_path / "results").write_text("a file")
    assert f"{tmp_path / 'results'} is a file" in complaint(PYTHON, tmp_path / "results/study", 0)


def _answer(queue, results):
    """Put the error message of `check_environment` for an unprivileged user into a queue; "" without error."""
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        check_environment(PYTHON, results, 0)
        queue.put("")
    except InputError as error:
        queue.put(str(error))


@pytest.mark.parametrize("locked", [".", "results", "results/study", "results/study/images"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch, locked):
    (tmp_path / "results/study/images").mkdir(parents=True)
    folders = [tmp_path, *(tmp_path / name for name in ("results", "results/study", "results/study/images"))]
    for folder in (*folders, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    (tmp_path / locked).chmod(0o555)
    if locked == ".":
        shutil.rmtree(tmp_path / "results")
    elif locked == "results":
        shutil.rmtree(tmp_path / "results/study")
    context = multiprocessing.get_context("fork")
    monkeypatch.chdir(tmp_path)
    queue = context.Queue()
    child = context.Process(target=_answer, args=(queue, Path("results/study")))
    child.start()
    text = queue.get(timeout=20)
    child.join()
    (tmp_path / locked).chmod(0o755)
    assert f"you may not write into {(tmp_path / locked).resolve()};" in text


def test_the_nearest_folder_that_is_there(tmp_path):
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(Path("no-such-folder/results")) == Path()


@pytest.mark.timeout(200)
def test_the_workflow_asks_before_any_job(tmp_path):
    run = snakemake(tmp_path, merged(TINY, {"resources": {"free_disk_gib": 100000}}), "--dry-run")
    assert run.returncode != 0
    assert "less than the 100000 GiB of resources.free_disk_gib" in run.stdout
    assert "Traceback" not in run.stdout
    assert snakemake(tmp_path, merged(TINY, {"resources": {"free_disk_gib": 0}}), "--dry-run").returncode == 0


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Project folder with a blank in its path and an environment inside, from a user report."""
    folder = tmp_path_factory.mktemp("blank")
    report("case15_blank_in_path").make(folder, ROOT)
    return folder / "My Drive" / "ctseg"


def run_in(drive, python):
    """Run the workflow of that folder for one phantom case; `stdout` contains both output streams."""
    study = drive / "tiny.yaml"
    study.write_text(yaml.safe_dump(TINY))
    command = [python, "-m", "snakemake", "--cores", "1", "--configfile", "tiny.yaml"]
    command += ["--", "results/tiny/images/phantom-000.nii.gz"]
    return subprocess.run(command, cwd=drive, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.mark.timeout(200)
def test_an_environment_in_a_folder_with_a_blank_is_told_in_one_line_before_any_job(drive):
    run = run_in(drive, drive / ".venv/bin/python")
    assert run.returncode != 0
    (line,) = [line for line in run.stdout.splitlines() if "Python environment" in line]
    assert "has a blank" in line
    assert "make demo VENV=$HOME/ctseg-venv" in line
    assert "No such file or directory" not in run.stdout
    assert "rule make_phantom" not in run.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_tells_it_before_it_installs_anything(drive):
    shutil.rmtree(drive / ".other", ignore_errors=True)
    command = ["make", "demo", "VENV=.other", f"PYTHON={sys.executable}"]
    run = subprocess.run(command, cwd=drive, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "ctseg: the path of the Python environment has a blank" in run.stderr
    assert not (drive / ".other").exists()
    plain = subprocess.run(
        [sys.executable, "-m", "ctseg.study.environment", "env/bin/python"],
        cwd="/",
        env={"PYTHONPATH": str(ROOT / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (plain.returncode, plain.stderr) == (0, "")


@pytest.mark.timeout(200)
def test_an_environment_elsewhere_runs_a_project_in_a_folder_with_a_blank(drive):
    run = run_in(drive, sys.executable)
    assert run.returncode == 0, run.stdout
    assert (drive / "results/tiny/images/phantom-000.nii.gz").is_file()
