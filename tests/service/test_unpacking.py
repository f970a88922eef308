"""Decompression of uploads: names, limits, damage, and faults of the disk."""

import gzip
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from ctseg.dicom.header import empty_files, list_headers
from ctseg.errors import ScanError
from dicom_files import new_object, write
from full_disk import full_disk
from hostile import zip_of
from serving.refused import Refused
from serving.settings import Settings
from serving.unpacking import is_left_out, numbered, unpack_gzip, unpack_zip

__all__ = ["full_disk"]
LARGE = np.random.default_rng(0).bytes(300_000)


def unpacked(folder, content, **limits):
    (folder / "upload").write_bytes(content)
    unpack_zip(folder / "upload", folder / "dicom", Settings(**limits))
    return {path.name: path.read_bytes() for path in (folder / "dicom").iterdir()}


def test_hidden_entries_and_folders_of_a_zip_are_left_out(tmp_path):
    names = ("./series/1", "series/.2", ".trash/3", "series/.cache/deep/4", "series/5", "series/DICOMDIR")
    content = zip_of([(name, name[-1:].encode()) for name in names])
    assert unpacked(tmp_path, content) == {"000000": b"1", "000001": b"5"}


def test_a_zip_of_hidden_files_alone_is_refused(tmp_path):
    with pytest.raises(Refused, match="holds no file"):
        unpacked(tmp_path, zip_of([(".hidden/1", b"1")]))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a/IM1.dcm", "000007.dcm"),
        ("a\\IM1.DCM", "000007.dcm"),
        ("IM1.Ima", "000007.ima"),
        ("IM1.dicom", "000007.dicom"),
        ("a.dcm/IM1", "000007"),
        ("1.2.840.3", "000007"),
        ("notes.txt", "000007.other"),
        ("IM1.dcm/../../x.sh", "000007.other"),
        ("", "000007"),
    ],
)
def test_of_a_name_only_what_the_dicom_reader_looks_at_is_kept(name, told):
    assert numbered(7, name) == told


def test_hidden_names_of_the_page_are_left_out_too():
    assert is_left_out("series/._IM1.dcm") and is_left_out("a\\.b\\c") and is_left_out("dicomdir")
    assert not is_left_out("series/IM1.dcm") and not is_left_out("IM1")


def test_a_slice_that_is_damaged_or_empty_is_one_to_the_reader_also_after_unpacking(tmp_path):
    dataset = new_object("1.2.840.10008.5.1.4.1.1.2")
    dataset.Modality = "CT"
    good = write(dataset, tmp_path / "good").read_bytes()
    unpacked(tmp_path, zip_of([("a.dcm", good), ("b.dcm", b""), ("c", b""), ("notes.txt", b"")]))
    assert len(list_headers(tmp_path / "dicom")) == 1
    assert [path.name for path in empty_files([tmp_path / "dicom"])] == ["000001.dcm", "000002"]
    (tmp_path / "other").mkdir()
    unpacked(tmp_path / "other", zip_of([("a.dcm", good), ("b.dcm", bytes(len(good)))]))
    with pytest.raises(ScanError, match="its name says DICOM, its content does not"):
        list_headers(tmp_path / "other" / "dicom")


def table(entries, offset=0, extra=b""):
    """Table of contents with entries of 46 bytes, a name of one, and `extra`."""
    fields = (0x0314, 20, 0, 0, 0, 0, 0, 0, 0, 1, len(extra), 0, 0, 0, 0, offset)
    return (struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", *fields) + b"a" + extra) * entries


def end(entries, size, offset=4):
    return struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, entries, entries, size, offset, 0)


def end_of_zip64(entries, size, offset=4):
    place = offset + size
    fields = (44, 45, 45, 0, 0, entries, entries, size, offset)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", *fields)
    return record + struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1) + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


@pytest.mark.parametrize("kind", ["honest", "lying", "zip64", "remark"])
def test_a_zip_of_many_tiny_entries_is_refused_before_they_are_read(kind, tmp_path):
    listed = table(60_000)
    tail = {
        "honest": end(60_000, len(listed)),
        "lying": end(1, len(listed)),
        "zip64": end_of_zip64(60_000, len(listed)),
        "remark": end(1, len(listed))[:-2] + struct.pack("<H", 5) + b"hello",
    }[kind]
    (tmp_path / "upload").write_bytes(b"PK\x03\x04" + listed + tail)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=r"more than the 100 files|table of contents .* 100 files") as caught:
            unpack_zip(tmp_path / "upload", tmp_path / "dicom", Settings(max_entries=100))
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert most_bytes < 2**20  # `ZipFile` takes 600 bytes for each entry


def test_a_zip_of_as_many_files_as_are_taken_may_have_long_names(tmp_path):
    content = zip_of([("series/" * 30 + f"{number:0100d}", b"x") for number in range(20)])
    assert len(unpacked(tmp_path, content, max_entries=20)) == 20


def test_offsets_beyond_all_files_are_damage(tmp_path):
    beyond = table(1, 0xFFFFFFFF, struct.pack("<HHQ", 1, 8, 2**63))
    before = table(1)
    for listed, place in ((beyond, end(1, len(beyond))), (before, end_of_zip64(1, len(before), 2**40))):
        with pytest.raises(Refused, match="the zip is cut, damaged") as caught:
            unpacked(tmp_path, b"PK\x03\x04" + listed + place)
        assert caught.value.status == 422
        (tmp_path / "dicom").rmdir()


def test_a_gzip_that_is_damaged_anywhere_is_refused(tmp_path):
    packed = gzip.compress(b"a" * 1000 + LARGE[:100_000] + b"b" * 100_000)
    for place in range(10, len(packed), 997):
        (tmp_path / "upload").write_bytes(packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :])
        with pytest.raises(Refused, match="the gzip file is cut or damaged") as caught:
            unpack_gzip(tmp_path / "upload", tmp_path / "scan.nii", Settings(), lambda written: None)
        assert caught.value.status == 422


def test_each_kind_of_damage_of_a_gzip_is_one(tmp_path, monkeypatch):
    from isal import igzip, igzip_lib

    def broken(*given):
        raise igzip_lib.IsalError("invalid distance")

    monkeypatch.setattr(igzip, "open", broken)
    (tmp_path / "upload").write_bytes(b"x")
    with pytest.raises(Refused, match="the gzip file is cut or damaged"):
        unpack_gzip(tmp_path / "upload", tmp_path / "scan.nii", Settings(), lambda written: None)


def test_a_full_disk_is_no_damage_of_the_upload(tmp_path, request):
    (tmp_path / "upload").write_bytes(gzip.compress(LARGE))
    (tmp_path / "upload.zip").write_bytes(zip_of([("a.dcm", LARGE)]))
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match="too large"):
        unpack_gzip(tmp_path / "upload", tmp_path / "scan.nii", Settings(), lambda written: None)
    with pytest.raises(OSError, match="too large"):
        unpack_zip(tmp_path / "upload.zip", tmp_path / "dicom", Settings())


def test_the_functions_of_the_standard_library_that_are_not_public_are_there():
    assert callable(zipfile._EndRecData)
    assert (zipfile._ECD_ENTRIES_TOTAL, zipfile._ECD_SIZE) == (4, 5)
