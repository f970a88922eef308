"""Uploads of the page: names, digests, and several files as one DICOM folder."""

import pytest

from ctseg.errors import InputError, ScanError
from dicom_files import REFERABLE, write_series
from full_disk import full_disk
from serving.page.inputs import Upload, digest_of, file_stem, scan_name, series_rows, unpack_all
from serving.settings import Settings

__all__ = ["full_disk"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.nii.gz", "scan"),
        ("LUNG_012.nii", "LUNG_012"),
        ("my chest (2).zip", "my_chest_2"),
        ("../../etc/passwd.mha", "etc_passwd"),
        ("a.seg.nrrd", "a"),
        ("肺.nii.gz", "肺"),
        ("series (120)", "series"),
        (".nii", "scan"),
        ("x" * 200 + ".dcm", "x" * 60),
        ('a"b\r\nc.dcm', "a_b_c"),
    ],
)
def test_results_are_named_after_the_scan(name, stem):
    assert file_stem(name) == stem


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["scan.nii"], "scan.nii"),
        (["IM_001.dcm", "IM_002.dcm"], "IM (2)"),
        (["1.dcm", "2.dcm", "3.dcm"], "DICOM (3)"),
        (["series/1.dcm", "series/2.dcm"], "series (2)"),
    ],
)
def test_several_files_have_a_name_together(names, told):
    assert scan_name(names) == told


def test_a_digest_stands_for_content_whatever_the_order():
    one, two = Upload("a", b"1"), Upload("b", b"2")
    assert digest_of([one, two]) == digest_of([two, one]) != digest_of([one]) != digest_of([])
    assert digest_of([]) == ""


def uploads_of(folder):
    return [Upload(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def test_several_files_are_one_folder_and_its_series_are_listed(scan, tmp_path):
    write_series(tmp_path / "one", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    write_series(tmp_path / "two", scan[0].voxels_zyx[:10], scan[0].grid, SeriesInstanceUID="1.2.9", **REFERABLE)
    (tmp_path / "in").mkdir()
    path = unpack_all([*uploads_of(tmp_path / "one"), *uploads_of(tmp_path / "two")], tmp_path / "in", Settings())
    rows = series_rows(path)
    assert [row.images for row in rows] == [len(scan[0].voxels_zyx), 10]
    assert rows[1].uid == "1.2.9"
    assert rows[0].slice_mm == 2.0


@pytest.mark.parametrize(
    ("uploads", "message"),
    [
        ([Upload("a.nii", b"x"), Upload("b.nii", b"x")], "slices of one DICOM folder"),
        ([Upload("a.zip", b"PK\x03\x04"), Upload("b.dcm", b"x")], "slices of one DICOM folder"),
    ],
)
def test_several_scans_at_once_are_refused(uploads, message, tmp_path):
    with pytest.raises(InputError, match=message):
        unpack_all(uploads, tmp_path, Settings())


def test_limits_hold_for_several_files_together(tmp_path):
    many = [Upload(f"{number}.dcm", b"x" * 600) for number in range(4)]
    with pytest.raises(InputError, match="more than the 3 files"):
        unpack_all(many, tmp_path, Settings(max_entries=3))
    with pytest.raises(InputError, match="larger than"):
        unpack_all(many, tmp_path, Settings(max_upload_mib=0.001))


def test_a_damaged_slice_among_several_files_is_not_dropped(scan, tmp_path):
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    uploads = [Upload(f"ct/{upload.name}.DCM", upload.data) for upload in uploads_of(tmp_path / "ct")]
    uploads[3] = Upload(uploads[3].name, bytes(len(uploads[3].data)))
    with pytest.raises(ScanError, match="its name says DICOM, its content does not"):
        series_rows(unpack_all(uploads, tmp_path, Settings()))


def test_what_systems_hide_in_a_folder_is_left_out(tmp_path):
    uploads = [Upload(f"ct/{name}", b"x") for name in ("._1.dcm", "1.dcm", ".DS_Store", "DICOMDIR", "2")]
    folder = unpack_all(uploads, tmp_path, Settings())
    assert sorted(path.name for path in folder.iterdir()) == ["000000.dcm", "000001"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_full_disk_is_told_in_a_sentence(count, tmp_path, full_disk):
    with pytest.raises(InputError, match="no room left for the upload"):
        unpack_all([Upload(f"{number}.dcm", bytes(20_000)) for number in range(count)], tmp_path, Settings())
