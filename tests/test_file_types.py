"""Formats of volume files by their names."""

import pytest

from ctseg.file_types import is_volume_file, volume_format


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
