"""Files are written completely or not at all."""

import pytest

from ctseg.files import atomic_path, read_json, write_json, write_table, write_text


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "deeper" / "a.nii.gz"
    write_text(path, "before")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as partial:
        assert partial.name.endswith("a.nii.gz")
        partial.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_json_comes_back_and_nan_is_refused(tmp_path):
    content = {"ä": [1, 2.5, None, True], "b": {}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert "ä" in (tmp_path / "a.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    assert not (tmp_path / "b.json").exists()


def test_a_table_has_its_columns_in_order_and_empty_cells_for_none(tmp_path):
    rows = [{"b": 1.23456, "a": "x", "c": 0}, {"a": "y", "b": None}]
    write_table(tmp_path / "a.tsv", {"a": "", "b": ".2f"}, rows)
    assert (tmp_path / "a.tsv").read_text() == "a\tb\nx\t1.23\ny\t\n"


def test_a_column_may_bring_its_own_words(tmp_path):
    write_table(tmp_path / "a.tsv", {"a": lambda value: f"<{value}>"}, [{"a": 1}, {"a": None}])
    assert (tmp_path / "a.tsv").read_text() == "a\n<1>\n\n"
