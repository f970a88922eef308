"""Study file written from the inspection of a folder."""

import yaml

from ctseg.study.config import resolve_config
from ctseg.study.look import Look
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
