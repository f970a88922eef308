"""Names and paths in the findings of a folder inspection."""

import pytest

from archive_trees import make_files
from ctseg.errors import ConfigError
from ctseg.study import look
from ctseg.study.look import clean_name, walk


def test_names_are_made_such_that_a_config_takes_them():
    names = ("GTV 1", "Lésion (neu)", "Ω", "a-b_c")
    assert [clean_name(name) for name in names] == ["GTV_1", "L_sion_neu", "label", "a-b_c"]


def test_hidden_files_and_folders_are_passed_over_and_the_number_of_files_is_limited(tmp_path, monkeypatch):
    make_files(tmp_path, "b/2", "a/1", ".git/x", "a/.hidden", "top")
    assert list(walk(tmp_path)) == [("top",), ("a", "1"), ("b", "2")]
    monkeypatch.setattr(look, "MOST_FILES", 2)
    with pytest.raises(ConfigError, match="holds more than 2 files"):
        list(walk(tmp_path))
