from pathlib import Path

import pytest

from ctseg.study.corrections import Correction, find_corrections

CASES = {"a", "b", "c", "d"}


def found(root: Path, *names: str, table: str | None = None) -> tuple[dict[str, Correction], list[str]]:
    for name in names:
        path = root / "fixed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if table is not None:
        (root / "fixed/corrections.tsv").write_text(table.replace(" ", "\t"), encoding="utf-8")
    problems: list[str] = []
    return find_corrections("fixed", str(root), CASES, problems), problems


def test_each_format_is_found_by_the_name_of_its_case(tmp_path):
    corrections, problems = found(tmp_path, "a.nii.gz", "b.seg.nrrd", "c.dcm", "d/seg.dcm", ".DS_Store")
    assert {case: one.path for case, one in corrections.items()} == {
        "a": "fixed/a.nii.gz",
        "b": "fixed/b.seg.nrrd",
        "c": "fixed/c.dcm",
        "d": "fixed/d",
    }
    assert problems == []


def test_the_table_says_who_corrected_it_and_why(tmp_path):
    corrections, problems = found(tmp_path, "a.nii", "b.mha", table="case by comment\na reader-2 missed\n")
    assert corrections == {
        "a": Correction("fixed/a.nii", "reader-2", "missed"),
        "b": Correction("fixed/b.mha"),
    }
    assert problems == []


def test_the_segmentation_that_was_edited_lies_in_a_folder_of_its_own(tmp_path):
    corrections, problems = found(tmp_path, "a.nii", "b.mha", "before/a.seg.nrrd")
    assert {case: one.edited for case, one in corrections.items()} == {"a": "fixed/before/a.seg.nrrd", "b": None}
    assert problems == []


@pytest.mark.parametrize(
    ("names", "table", "problem"),
    [
        (["e.nii.gz"], None, "fixed/e.nii.gz: no case has this name"),
        (["a-corrected.nii.gz"], None, "fixed/a-corrected.nii.gz: no case has this name"),
        (["a.nii.gz", "a.seg.nrrd"], None, "fixed/a.seg.nrrd: is of the same case as fixed/a.nii.gz"),
        (["a.nii.gz", "before/b.nii.gz"], None, "fixed/before/b.nii.gz: no correction has this name"),
        (["a.nii.gz"], "case by\nb me\n", "fixed/corrections.tsv, line 2: there is no correction of a case 'b'"),
        (["a.nii.gz"], "name by\na me\n", "line 2: there is no correction of a case ''"),
    ],
)
def test_what_would_not_be_used_is_a_problem(tmp_path, names, table, problem):
    _, problems = found(tmp_path, *names, table=table)
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_table_that_is_no_text_is_a_problem(tmp_path):
    found(tmp_path, "a.nii")
    (tmp_path / "fixed/corrections.tsv").write_bytes(b"case\tby\n\xff\xfe\n")
    assert "not a table in UTF-8" in found(tmp_path)[1][0]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path):
    assert found(tmp_path) == ({}, ["cases.corrections: the folder fixed does not exist"])
