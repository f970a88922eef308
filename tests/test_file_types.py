"""Formats of volume files by their names."""

import pytest

from ctseg.file_types import is_text, is_volume_file, volume_format


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.nii", "NIfTI"), ("A.NII.GZ", "NIfTI"), ("a.seg.nrrd", "NRRD"), ("a.nhdr", "NRRD"), ("a.mhd", "MetaImage")],
)
def test_volume_files(tmp_path, name, kind):
    assert is_volume_file(name)
    assert volume_format(tmp_path / name) == kind


@pytest.mark.parametrize("name", ["a.dcm", "a.gz", "nii", "a.nii/", "a.nii.gz.txt", "1.2.840"])
def test_other_names_are_none_but_for_a_slash_at_the_end(name):
    assert is_volume_file(name) == name.endswith("/")


def test_a_name_of_another_system_is_no_text():
    assert is_text("scans/肝.nii.gz")
    assert not is_text("scans/\udcb8\udcce.nii.gz")
