"""Inspection of a data folder."""

import os

import pytest

from archive_trees import make_files, make_lidc, make_luna16, make_nnunet
from ctseg.errors import ConfigError
from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import write_nifti
from ctseg.study.look_at_folder import look_at
from dicom_files import body

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((6, 7, 8), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)


@pytest.mark.parametrize(("make", "source"), [(make_luna16, "luna16"), (make_lidc, "lidc")])
def test_an_archive_of_nodules_is_known_by_its_layout(tmp_path, make, source):
    make(tmp_path)
    look = look_at(str(tmp_path), print)
    assert (look.cases["source"], look.labels, look.in_lungs) == (source, {"nodule": 1}, True)
    assert look.scans == look.labelled == 5


def test_what_is_not_used_is_told(tmp_path):
    for case in ("p1", "p2", "p3"):
        write_nifti(Volume(body(GRID.shape_zyx), GRID), tmp_path / case / "ct.nii")
        write_nifti(Volume(body(GRID.shape_zyx, 1), GRID), tmp_path / case / "late.nii")
    look = look_at(str(tmp_path), print)
    assert (look.scans, look.labelled) == (3, 0)
    assert any(reason.startswith("not used: {case}/") for reason in look.reasons)
    assert "label: no file with the name of a case holds labels" in look.reasons


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"labels": {"background": 0, "a": [1, 2]}}, "regions"), ({"channel_names": {"0": "MRI"}}, "ctseg is for CT")],
)
def test_a_data_set_that_the_workflow_would_refuse_is_refused(tmp_path, changes, words):
    make_nnunet(tmp_path, **changes)
    with pytest.raises(ConfigError, match=words):
        look_at(str(tmp_path), print)


def test_cases_with_names_that_are_not_utf8_are_refused(tmp_path):
    make_nnunet(tmp_path)
    for part, end in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        case = os.fsdecode("肝".encode("gbk"))
        (tmp_path / part / f"tumour_003{end}").rename(tmp_path / part / f"{case}{end}")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        look_at(str(tmp_path), print)


def test_a_damaged_dataset_json_is_told(tmp_path):
    make_files(tmp_path, "dataset.json", text="{")
    with pytest.raises(ConfigError, match="is damaged"):
        look_at(str(tmp_path), print)


@pytest.mark.parametrize("text", ["[]", '{"training": [], "labels": {"background": 0, "tumour": 1}}'])
def test_a_dataset_json_of_an_unknown_kind_does_not_hide_the_files(tmp_path, text):
    make_files(tmp_path, "dataset.json", text=text)
    for case in ("p1", "p2", "p3"):
        write_nifti(Volume(body(GRID.shape_zyx), GRID), tmp_path / case / "ct.nii")
    assert look_at(str(tmp_path), print).scans == 3
