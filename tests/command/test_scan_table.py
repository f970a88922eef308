"""The table of all scans of a folder of results, over several runs."""

import os
from pathlib import Path

import pytest

from ctseg.command.one_scan import Found
from ctseg.command.scan_table import Result, merged, printable, read_rows, row_of, write_rows
from ctseg.errors import InputError

GBK = os.fsdecode("肝".encode("gbk"))  # a file name from a zip of Windows


@pytest.fixture
def folder(tmp_path):
    """Folder with the scans a, b, c and the label maps of a and b."""
    for name in ("a.nii", "b.nii", "c.nii", "out/a.nii.gz", "out/b.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def done(folder, name, volume=1.0, label="ball"):
    found = Found({label: 2}, {label: volume}, ["short", "noisy"], [])
    return Result(name, folder / f"{name}.nii", folder / "out" / f"{name}.nii.gz", found)


def refused(folder, name, reason="no CT"):
    return Result(name, folder / f"{name}.nii", folder / "out" / f"{name}.nii.gz", reason=reason)


def written(folder, *results, labels=("ball",), earlier=()):
    """Write the table; return its rows as a later run reads them."""
    write_rows(merged(earlier, [row_of(result) for result in results]), labels, folder / "out" / "scans.tsv")
    return read_rows(folder / "out" / "scans.tsv")


def test_a_row_says_what_was_found_or_why_nothing_was(folder):
    first, second = written(folder, done(folder, "a"), refused(folder, "c", "two\nlines"))
    assert first == {
        "name": "a",
        "result": "done",
        "lesions": "2",
        "ball_cm3": "1.0000",
        "flags": "short; noisy",
        "reason": "",
        "mask": str(folder / "out" / "a.nii.gz"),
        "scan": str(folder / "a.nii"),
    }
    assert (second["result"], second["reason"], second["lesions"], second["mask"]) == ("refused", "two lines", "", "")


def test_a_later_run_keeps_the_rows_and_replaces_those_of_its_scans(folder, monkeypatch):
    earlier = written(folder, done(folder, "a"), done(folder, "b"), refused(folder, "c"))
    monkeypatch.chdir(folder)
    again = [done(Path(), "b", 5.0), done(Path("elsewhere"), "d")]
    rows = written(folder, *again, earlier=earlier)
    assert [(row["name"], row["ball_cm3"]) for row in rows] == [("a", "1.0000"), ("c", ""), ("b", "5.0000")]


def test_a_result_that_was_written_over_loses_its_row(folder):
    earlier = written(folder, done(folder, "a"))
    other = Result("a", folder / "b.nii", folder / "out" / "a.nii.gz", reason="no CT")
    assert [row["scan"] for row in written(folder, other, earlier=earlier)] == [str(folder / "b.nii")]


def test_rows_of_scans_that_are_gone_are_left_out(folder):
    written(folder, done(folder, "a"), done(folder, "b"), refused(folder, "c"))
    (folder / "a.nii").unlink()
    (folder / "b.nii").unlink()
    (folder / "out" / "b.nii.gz").unlink()
    assert [row["name"] for row in read_rows(folder / "out" / "scans.tsv")] == ["a", "c"]


def test_another_model_adds_its_labels(folder):
    earlier = written(folder, done(folder, "a"))
    first, second = written(folder, done(folder, "b", 3.0, "cyst"), labels=("cyst",), earlier=earlier)
    assert list(first) == ["name", "result", "lesions", "cyst_cm3", "ball_cm3", "flags", "reason", "mask", "scan"]
    assert (first["ball_cm3"], first["cyst_cm3"]) == ("1.0000", "")
    assert (second["ball_cm3"], second["cyst_cm3"]) == ("", "3.0000")


def test_a_name_that_is_not_utf8_or_ends_a_line_is_written_with_escapes(folder):
    (folder / "out" / f"{GBK}.nii.gz").touch()
    earlier = written(folder, done(folder, GBK), refused(folder, "a\tb", f"{GBK} is damaged"))
    assert [row["name"] for row in earlier] == ["\\udcb8\\udcce"]
    text = (folder / "out" / "scans.tsv").read_text(encoding="utf-8")
    assert "\na\\tb\trefused\t" in text
    assert "\\udcb8\\udcce is damaged" in text
    assert len(written(folder, done(folder, GBK), earlier=earlier)) == 1
    assert printable("肝 α\u3000") == "肝 α\u3000"


@pytest.mark.parametrize("content", [b"", b"name\tage\nx\t5\n", "name\tresult\tmask\tscan\n肝\n".encode("gbk")])
def test_a_table_of_another_origin_is_not_written_over(tmp_path, content):
    (tmp_path / "scans.tsv").write_bytes(content)
    with pytest.raises(InputError, match="is no table of `ctseg predict`; rename it"):
        read_rows(tmp_path / "scans.tsv")


def test_no_table_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "scans.tsv") == []
