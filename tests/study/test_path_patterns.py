"""Search of files by a path pattern."""

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_trees import make_files
from ctseg.errors import ConfigError
from ctseg.study.path_patterns import Folders, find_paths
from places import ROOT

NAMES = st.text("ab.x", min_size=1, max_size=6).filter(lambda name: not name.startswith("."))


@given(case=NAMES, patient=NAMES)
def test_a_found_path_is_the_pattern_with_its_fields_filled_in(tmp_path_factory, case, patient):
    root = tmp_path_factory.mktemp("found")
    make_files(root, f"p_{patient}/{case}-ct.nii")
    pattern = "p_{patient}/{case}-ct.nii"
    [(path, fields)] = find_paths(pattern, Folders(str(root)))
    assert fields == {"case": case, "patient": patient}
    assert path == pattern.format(**fields)


def found(root: Path, pattern: str, **known: str) -> list[str]:
    return [path for path, _ in find_paths(pattern, Folders(str(root)), known)]


def test_parts_are_as_short_as_possible_and_repeated_ones_the_same(tmp_path):
    make_files(tmp_path, "a_b_c.nii", "a/a.nii", "a/b.nii")
    [(_, fields)] = find_paths("{patient}_{case}.nii", Folders(str(tmp_path)))
    assert fields == {"patient": "a", "case": "b_c"}
    assert found(tmp_path, "{case}/{case}.nii") == ["a/a.nii"]


def test_a_folder_that_cannot_be_listed_is_an_error_since_its_cases_would_be_lost(tmp_path, monkeypatch):
    make_files(tmp_path, "p1/a.nii", "p2/a.nii", "file")
    assert found(tmp_path, "{patient}/{case}.nii") == ["p1/a.nii", "p2/a.nii"]
    listdir = os.listdir

    def refused(path):
        if str(path).endswith("p1"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(ConfigError, match=r"the folder p1 cannot be listed \(Permission denied\)"):
        found(tmp_path, "{patient}/{case}.nii")


def test_known_fields_are_filled_in(tmp_path):
    make_files(tmp_path, "p1/a.nii", "p2/a.nii", "p2/b.nii")
    assert found(tmp_path, "{patient}/{case}.nii", case="a") == ["p1/a.nii", "p2/a.nii"]
    assert found(tmp_path, "{patient}/{case}.nii", case="b", patient="p2") == ["p2/b.nii"]
    assert found(tmp_path, "{patient}/{case}.nii", case="b", patient="p1") == []


def test_hidden_files_are_found_by_no_wildcard(tmp_path):
    make_files(tmp_path, ".a.nii", "b.nii", ".c/d.nii")
    assert found(tmp_path, "{case}.nii") == found(tmp_path, "*.nii") == ["b.nii"]
    assert found(tmp_path, "*/d.nii") == []


def test_paths_come_sorted_and_absolute_ones_stay_so(tmp_path):
    make_files(tmp_path, "b/2", "a/10", "a/9")
    assert found(tmp_path, "*/{case}") == ["a/10", "a/9", "b/2"]
    assert found(tmp_path / "b", f"{tmp_path}/a/{{case}}") == [f"{tmp_path}/a/10", f"{tmp_path}/a/9"]


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    make_files(tmp_path, "a.nii", "b.nii")
    folders, listed = Folders(str(tmp_path)), []
    monkeypatch.setattr("os.listdir", lambda path: listed.append(path) or ["a.nii", "b.nii"])
    assert folders.names("", "a") == ["a.nii"]
    assert folders.names("", "b") == ["b.nii"]
    assert len(listed) == 1


def patterns_of(heading):
    """Path patterns in a section of docs/data.md."""
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^  (?:image|label): (.+)$", page, re.MULTILINE)


def test_the_patterns_for_bids_find_scans_and_labels(tmp_path):
    image, label, image_of_session, label_of_session = patterns_of("BIDS")
    make_files(
        tmp_path / "bids",
        "sub-01/ct/sub-01_ct.nii.gz",
        "derivatives/manual/sub-01/ct/sub-01_desc-tumour_dseg.nii.gz",
        "sub-02/ct/sub-02_ct.nii.gz",
        "derivatives/manual/sub-02/ct/sub-02_dseg.nii.gz",
        "sub-03/ses-1/ct/sub-03_ses-1_ct.nii.gz",
        "sub-03/ses-2/ct/sub-03_ses-2_ct.nii.gz",
        "derivatives/manual/sub-03/ses-2/ct/sub-03_ses-2_dseg.nii.gz",
        "dataset_description.json",
    )
    folders = Folders(str(tmp_path))
    assert [fields for _, fields in find_paths(image, folders)] == [{"case": "01"}, {"case": "02"}]
    assert [len(list(find_paths(label, folders, {"case": case}))) for case in ("01", "02", "03")] == [1, 1, 0]
    sessions = [fields for _, fields in find_paths(image_of_session, folders)]
    assert sessions == [{"patient": "03", "case": f"sub-03_ses-{number}"} for number in (1, 2)]
    assert [len(list(find_paths(label_of_session, folders, fields))) for fields in sessions] == [0, 1]
