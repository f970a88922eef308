"""Temporary folders of the page: no file of a scan stays on the disk."""

import subprocess
import sys
import tempfile

import pytest

from serving.page.temporary import PREFIX, remove_leftovers, temporary_folder


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_is_private_and_gone_after_its_use(tmp_path):
    with temporary_folder() as folder:
        (folder / "scan.nii").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0
        remove_leftovers()
        assert (folder / "scan.nii").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_page_left_is_deleted_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f"{PREFIX}{dead.pid}-x"
    others = [tmp_path / f"{PREFIX}notes", tmp_path / "other-1-x"]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "scan.nii").write_bytes(b"x")
    (tmp_path / f"{PREFIX}{dead.pid}-link").symlink_to(others[1])
    remove_leftovers()
    assert not left.exists()
    assert all((folder / "scan.nii").exists() for folder in others)
