"""SHA-256 of files."""

import pytest

from ctseg.file_hash import sha256_of


def test_the_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")  # the example of FIPS 180-2
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "model.onnx") == sha256_of(str(tmp_path / "model.onnx")) == expected


def test_a_missing_file_has_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "model.onnx")
