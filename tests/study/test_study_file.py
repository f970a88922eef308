"""Study file written from the inspection of a folder."""

import pytest
import yaml

from ctseg.study.config import resolve_config
from ctseg.study.look import Look, name_labels
from ctseg.study.study_file import study_name, study_text
from places import ROOT, SCHEMAS

LOOK = Look(
    {"source": "folder", "image": "data/Ä b/{case}/ct.nii.gz", "label": 'data/"q"/{case}.nii'},
    {"GTV": 1, "node": 2},
    {"node": "lymph: node"},
    ["image: 9 files", "two\nlines"],
    scans=9,
    labelled=9,
)


def config_of(text):
    base = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    given = yaml.safe_load(text)
    for key, value in given.items():
        base[key] = base[key] | value if isinstance(value, dict) else value
    return resolve_config(base, SCHEMAS / "config.schema.yaml", given)


def test_the_text_is_a_config_that_says_what_was_found():
    text = study_text(LOOK, "data/My study", None, "mine.yaml")
    config = config_of(text)
    assert config["cases"]["image"] == LOOK.cases["image"]
    assert config["cases"]["label"] == LOOK.cases["label"]
    assert (config["target"]["labels"], config["target"]["roi_names"]) == (LOOK.labels, LOOK.names_in_files)
    assert (config["study"], config["target"]["region"]) == ("My_study", "body")
    assert "# * image: 9 files\n# * two lines\n" in text
    assert "--configfile mine.yaml" in text


def test_with_a_model_nothing_is_planned(tmp_path):
    model = tmp_path / "model.onnx"
    model.touch()
    look = Look({"source": "folder", "image": "data/{case}"}, scans=3)
    config = config_of(study_text(look, "data", str(model), "mine.yaml"))
    assert config["model"] == str(model)


def test_the_name_of_the_built_in_study_is_not_taken():
    assert study_name("/somewhere/phantom") == "phantom_data"


def test_studies_of_folders_with_other_letters_do_not_share_results():
    names = ("肝脏", "肿瘤", "肝 2024", "肺 2024", "a" * 70 + "b", "a" * 70 + "c", "(!)", "é")
    given = [study_name(f"/somewhere/{name}") for name in names]
    assert len(set(given)) == len(names)
    assert given[0] == study_name("/elsewhere/肝脏") != study_name("/somewhere/肝")
    assert given[0].startswith("study_")
    assert given[2].startswith("2024_")
    assert study_name("/somewhere/é") == study_name("/somewhere/e\u0301")  # as macOS writes it


@pytest.mark.parametrize("name", ["2024", "yes", "2024-01-01", "-data", "肝脏", "x.y", "a" * 99])
def test_the_name_of_a_study_is_text_that_a_config_takes(name):
    assert config_of(study_text(LOOK, f"data/{name}", None, "mine.yaml"))["study"] == study_name(f"data/{name}")


def test_names_with_characters_that_yaml_cannot_hold_are_read_as_they_are():
    names = ["\x96\x80 \x85", "\x1b[1m", "a\u2028b", "\x7f", "\ufffe", '"#: \\', "肝脏"]
    look = Look({"source": "folder", "image": "{case}"}, scans=9, labelled=9, reasons=[f"found {' '.join(names)}"])
    name_labels(names, look)
    target = config_of(study_text(look, "data", None, "mine.yaml"))["target"]
    assert list(target["roi_names"].values()) == names
    assert list(target["labels"].values()) == list(range(1, 8))
