"""Folder of a server: private, locked, and the only one in its parent that is touched."""

import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from command import with_folders
from places import ROOT, SCRIPTS
from serving.service.job import RECORD
from serving.service.spool import LOCK, PREFIX, spool

CODE = """
import sys, time
from pathlib import Path
from serving.service.spool import spool
with spool(Path(sys.argv[1])) as held:
    (held.path / "job").mkdir()
    (held.path / "job" / "job.json").write_text("{}")
    print(held.path, flush=True)
    time.sleep(100)
"""


@contextmanager
def another(parent):
    """Folder of another running server, with the job `job`; killed at the end."""
    environment = with_folders(ROOT, SCRIPTS)
    command = [sys.executable, "-c", CODE, str(parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield parent / process.stdout.readline().strip().rpartition("/")[2]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_jobs_of_a_dead_server_are_taken_over(tmp_path):
    with another(tmp_path) as left:
        assert left.stat().st_mode & 0o077 == 0
    with spool(tmp_path) as held:
        assert (held.path / "job" / RECORD).exists()
        assert not left.exists()


@pytest.mark.parametrize("removed", [[], [LOCK]])
def test_a_running_server_keeps_its_jobs_whatever_a_cleaner_removes(removed, tmp_path):
    with another(tmp_path) as running:
        for name in removed:
            (running / name).unlink()
        with spool(tmp_path) as held:
            assert not (held.path / "job").exists()
        assert (running / "job" / RECORD).exists()
    with spool(tmp_path) as held:
        assert (held.path / "job" / RECORD).exists()


def test_no_other_folder_is_touched(tmp_path):
    others = ["server-config", "server-abcdefgh", f"{PREFIX}notes", f"{PREFIX}notes-of-june", "lock"]
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("mine")
    (tmp_path / "elsewhere" / "job").mkdir(parents=True)
    (tmp_path / "elsewhere" / "job" / RECORD).write_text("mine")
    (tmp_path / f"{PREFIX}abcdefgh").symlink_to(tmp_path / "elsewhere")
    with spool(tmp_path):
        pass
    assert all((tmp_path / name / "file").read_text() == "mine" for name in others)
    assert (tmp_path / "elsewhere" / "job" / RECORD).read_text() == "mine"
    assert not any((tmp_path / name / LOCK).exists() for name in others)


def test_a_folder_that_was_removed_is_made_and_locked_again(tmp_path):
    with spool(tmp_path) as held:
        shutil.rmtree(tmp_path)
        held.renew()
        held.renew()
        (held.path / "job").mkdir()
        (held.path / "job" / RECORD).write_text("{}")
        assert held.path.stat().st_mode & 0o077 == 0
        with spool(tmp_path) as other:
            assert not (other.path / "job").exists()
        assert (held.path / "job" / RECORD).exists()


def test_without_jobs_nothing_stays_but_the_lock(tmp_path):
    with spool(tmp_path) as held:
        (held.path / "upload").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
