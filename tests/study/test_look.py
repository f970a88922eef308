"""Names and paths in the findings of a folder inspection."""

import os
import re

import pytest
import yaml

from archive_trees import make_files
from ctseg.errors import ConfigError
from ctseg.study import look
from ctseg.study.look import LONGEST, Look, clean_name, config_names, name_labels, require_utf8, walk
from places import SCHEMAS


def test_names_are_made_such_that_a_config_takes_them():
    names = ("GTV 1", "Lésion (neu)", "Ω", "a-b_c", "12", "肺12")
    assert [clean_name(name) for name in names] == ["GTV_1", "L_sion_neu", "", "a-b_c", "12", ""]


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (["肝脏", "肿瘤", "囊肿"], ["label_1", "label_2", "label_3"]),
        (["肝脏", "GTV", "label_1", "肿瘤"], ["label_2", "GTV", "label_1", "label_3"]),
        (["肺1", "肝1"], ["label_1", "label_2"]),
        (["GTV+1", "GTV 1", "GTV-1"], ["GTV_1", "GTV_1_2", "GTV-1"]),
        (["GTV 1", "GTV_1", "GTV_1_2", "GTV+1"], ["GTV_1_3", "GTV_1", "GTV_1_2", "GTV_1_4"]),
        (["liver", "liver"], ["liver", "liver_2"]),
        (["é" + "a" * 70, "ü" + "a" * 70], ["a" * 60, "a" * 55 + "_2"]),
    ],
)
def test_names_stay_different_and_are_allowed_by_the_config(names, given):
    assert config_names(names) == given
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text(encoding="utf-8"))
    rule = schema["properties"]["target"]["properties"]["labels"]["propertyNames"]
    assert rule["maxLength"] == LONGEST
    assert all(re.fullmatch(rule["pattern"], name) and len(name) <= LONGEST for name in given)


def test_changed_names_are_told_as_in_the_files():
    look = Look({})
    name_labels(["肝脏", "cyst", "/(a/"], look, [4, 2, 9])
    assert look.labels == {"label_1": 4, "cyst": 2, "a": 9}
    assert look.names_in_files == {"label_1": "肝脏", "a": r"//\(a//"}


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / os.fsdecode("肝".encode("gbk"))).touch()
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        list(walk(tmp_path))
    require_utf8(tmp_path / "肝")


def test_hidden_files_and_folders_are_passed_over_and_the_number_of_files_is_limited(tmp_path, monkeypatch):
    make_files(tmp_path, "b/2", "a/1", ".git/x", "a/.hidden", "top")
    assert list(walk(tmp_path)) == [("top",), ("a", "1"), ("b", "2")]
    monkeypatch.setattr(look, "MOST_FILES", 2)
    with pytest.raises(ConfigError, match="holds more than 2 files"):
        list(walk(tmp_path))
