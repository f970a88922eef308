"""Selection of scans by the paths on a command line."""

from pathlib import Path

import pytest

from ctseg.command.given_scans import names_of, scans_in, without_volume_suffix
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from dicom_files import body, write_series

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((4, 5, 6), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder):
    return [str(path.relative_to(folder)) for path in scans_in(folder)]


def test_a_file_is_itself(tmp_path):
    assert scans_in(tmp_path / "a.nii.gz") == [tmp_path / "a.nii.gz"]


def test_a_folder_with_dicom_files_is_one_scan(tmp_path):
    write_series(tmp_path, body((4, 5, 6)), GRID)
    (tmp_path / "deeper").mkdir()
    assert scans_in(tmp_path) == [tmp_path]


def test_a_folder_of_files_and_folders_has_each_of_them(tmp_path):
    write_series(tmp_path / "p1" / "series", body((4, 5, 6)), GRID)
    touch(tmp_path, "b.nii.gz", "a.nrrd", "notes.txt", ".hidden.nii", "p2/ct/c.mha", "p2/ct/.d.nii", "p3/empty.txt")
    assert found(tmp_path) == ["a.nrrd", "b.nii.gz", "p1", "p2/ct/c.mha", "p3"]


def test_an_empty_folder_is_left_to_the_reader_to_refuse(tmp_path):
    assert scans_in(tmp_path) == [tmp_path]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/a.nii.gz", "/d/b.nrrd"], ["a", "b"]),
        (["/d/1/ct.nii.gz", "/d/2/ct.nii.gz"], ["1_ct", "2_ct"]),
        (["/d/ct.nii", "/d/ct.mha"], ["ct.nii", "ct.mha"]),
        (["/d/p1", "/d/p2"], ["p1", "p2"]),
    ],
)
def test_names_are_short_and_tell_scans_apart(paths, names):
    assert names_of([Path(path) for path in paths]) == names


def test_a_scan_that_is_given_twice_is_told():
    with pytest.raises(InputError, match="given twice"):
        names_of([Path("/d/a.nii"), Path("/d/../d/a.nii")])


def test_only_the_format_is_taken_from_a_name():
    assert [without_volume_suffix(name) for name in ("a.b.nii.gz", "A.NRRD", "series.1")] == ["a.b", "A", "series.1"]
