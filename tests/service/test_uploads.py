"""Unpacking of uploads."""

import pytest

from hostile import zip_of
from serving.refused import Refused
from serving.settings import Settings
from serving.uploads import unpack_zip


def unpacked(folder, entries):
    (folder / "upload").write_bytes(zip_of(entries))
    unpack_zip(folder / "upload", folder / "dicom", Settings())
    return {path.name: path.read_bytes() for path in (folder / "dicom").iterdir()}


def test_hidden_entries_and_folders_of_a_zip_are_left_out(tmp_path):
    names = ("./series/1", "series/.2", ".trash/3", "series/.cache/deep/4", "series/5")
    assert unpacked(tmp_path, [(name, name[-1:].encode()) for name in names]) == {"000000": b"1", "000001": b"5"}


def test_a_zip_of_hidden_files_alone_is_refused(tmp_path):
    with pytest.raises(Refused, match="holds no file"):
        unpacked(tmp_path, [(".hidden/1", b"1")])
