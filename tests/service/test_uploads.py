"""Reception of uploads, and the way from an upload to what a scan is read from."""

import asyncio

import pytest

from full_disk import full_disk
from serving.refused import Refused
from serving.settings import Settings
from serving.uploads import receive, unpack

__all__ = ["full_disk"]


async def chunks(content):
    """Content in chunks of 1000 bytes."""
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def received(path, content, **settings):
    return asyncio.run(receive(chunks(content), path, Settings(**settings)))


def test_an_upload_is_written_as_it_comes(tmp_path):
    received(tmp_path / "upload", b"x" * 2500)
    assert (tmp_path / "upload").read_bytes() == b"x" * 2500


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"x" * 5000, 413)])
def test_what_is_empty_or_too_large_is_refused(content, status, tmp_path):
    with pytest.raises(Refused) as caught:
        received(tmp_path / "upload", content, max_upload_mib=0.004)
    assert caught.value.status == status


def test_a_full_disk_is_told_as_one(tmp_path, full_disk):
    with pytest.raises(OSError, match="too large"):
        received(tmp_path / "upload", b"x" * 20_000)


def test_one_dicom_file_is_a_folder_of_one(tmp_path):
    (tmp_path / "upload").write_bytes(bytes(128) + b"DICM")
    folder = unpack(tmp_path / "upload", Settings())
    assert [path.name for path in folder.iterdir()] == ["000000"]
