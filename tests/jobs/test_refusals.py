"""The record of a rejected case replaces a result file and can be distinguished from every result."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.decisions import Decision, stored
from ctseg.errors import InputError
from ctseg.jobs.refusals import (
    HEAD,
    LEFT_OUT,
    Refusal,
    admitted,
    left,
    read_refusal,
    refusals,
    refused_cases,
    reminder,
    trainable,
    usable,
    write_refusal,
)

REFUSAL = Refusal("a", "convert_image", "the scan is cut")


@settings(max_examples=25, deadline=None)
@given(st.text(), st.text(), st.text(), st.sampled_from(["a.nii.gz", "a.json", "deeper/a.tsv"]))
def test_what_was_written_is_read(tmp_path_factory, case, rule, reason, name):
    path = tmp_path_factory.mktemp("refusal") / name
    write_refusal(Refusal(case, rule, reason), [path])
    assert read_refusal(path) == Refusal(case, rule, reason)


def test_the_same_refusal_has_the_same_bytes(tmp_path):
    write_refusal(REFUSAL, [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"])
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"voxels": 3}'),
        ("a.json", HEAD.encode()[:-1]),
        ("a.nii.gz", gzip.compress(b"\0" * 400, mtime=0)),
        ("a.nii.gz", gzip.compress(b"\0" * 4000, mtime=0)[:20]),
        ("a.nii.gz", b"no gzip at all"),
        ("a.tsv", "ä".encode("latin-1") * 50),
    ],
)
def test_a_result_is_no_refusal_also_where_it_is_damaged(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_refusal(tmp_path / name) is None
    assert usable(str(tmp_path / name)) == str(tmp_path / name)


def test_what_is_not_there_is_no_refusal(tmp_path):
    assert read_refusal(tmp_path / "missing.json") is None
    assert usable(None) is None


def test_refusals_among_files_come_once_in_their_order(tmp_path):
    other = Refusal("b", "convert_label", "no voxel")
    paths = [str(tmp_path / name) for name in ("1.json", "2.json", "3.json", "4.json")]
    write_refusal(other, [paths[0]])
    write_refusal(REFUSAL, [paths[1], paths[2]])
    (tmp_path / "4.json").write_text("{}")
    assert refusals(paths) == [other, REFUSAL]
    assert refused_cases(paths) == {"a", "b"}
    assert admitted(paths, "to train on") == [paths[3]]
    assert usable(paths[0]) is None
    with pytest.raises(InputError, match="no case is left to train on: all 3 were refused"):
        admitted(paths[:3], "to train on")
    assert admitted([], "to train on") == []  # no case was rejected


def test_the_plan_leaves_cases_out():
    plan = stored({LEFT_OUT: Decision(["b"], "refused")})
    assert trainable(["a", "b", "c"], plan, "to train on") == ["a", "c"]
    assert trainable(["b"], {}, "to train on") == ["b"]
    with pytest.raises(InputError, match="no case is left to train on: all 1 were refused"):
        trainable(["b"], plan, "to train on")


def test_what_is_left():
    assert left(["a"], ["a", "b"], "x") == ["a"]
    assert left([], [], "x") == []


def test_cases_that_an_earlier_run_refused_are_remembered(tmp_path):
    table = tmp_path / "refused.tsv"
    assert reminder(table) == ""
    table.write_text("case\trule\treason\n")
    assert reminder(table) == ""
    table.write_text("case\trule\treason\na\tx\ty\nb\tx\ty\na\tz\ty\n")
    assert reminder(table) == f"2 cases refused when this study last ran; {table} says why"
