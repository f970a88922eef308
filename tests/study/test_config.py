import copy
import math
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ctseg.errors import InputError
from ctseg.geometry.hounsfield import WINDOWS_HU
from ctseg.study.config import resolve_config
from ctseg.study.schema import read_schema
from places import ROOT

SCHEMA_PATH = ROOT / "rules/schemas/config.schema.yaml"
SCHEMA = read_schema(SCHEMA_PATH)
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
SMALLEST = {"study": "a", "cases": {"source": "phantom"}, "target": {"labels": {"nodule": 1}}}


def resolve(config: Any, given: Any = None) -> dict:
    return resolve_config(config, SCHEMA_PATH, given)


UNET = {"architecture": "unet", "channels": [8] * 3}


def changed(key: str, value: Any) -> dict:
    config = copy.deepcopy(DEFAULT) | {"study": "mine"}
    section = config
    *path, last = key.split(".")
    for name in path:
        section = section[name]
    section[last] = value
    return config


def complaint(config: Any) -> str:
    with pytest.raises(InputError) as caught:
        resolve(config)
    return str(caught.value)


def leaves(config: dict, prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in config.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def test_the_default_config_is_complete_and_right():
    assert resolve(DEFAULT) == DEFAULT


def test_defaults_are_those_of_config_yaml_except_where_they_suit_the_phantom_alone():
    filled, given = leaves(resolve(SMALLEST)), leaves(DEFAULT)
    suits_the_phantom = {"study", "plan.spacing_mm", "plan.patch_size", "plan.batch_size"}
    assert {key for key in given if filled[key] != given[key]} == suits_the_phantom


def test_every_key_is_described_and_every_optional_one_has_a_default():
    def visit(schema: dict, key: str) -> None:
        for name, part in schema["properties"].items():
            assert part["description"].endswith("."), f"{key}{name}"
            if "properties" in part:
                assert part["additionalProperties"] is False
                visit(part, f"{key}{name}.")
            else:
                assert ("default" in part) != (name in schema.get("required", [])), f"{key}{name}"

    visit(SCHEMA, "")
    Draft202012Validator.check_schema(SCHEMA)


def test_hu_windows_are_those_that_are_known():
    named = SCHEMA["properties"]["plan"]["properties"]["window_hu"]["anyOf"][0]["enum"]
    assert set(named) == {"auto", *WINDOWS_HU}


def test_the_input_is_not_changed_and_shares_nothing_with_the_result():
    config = copy.deepcopy(SMALLEST)
    resolved = resolve(config)
    resolved["target"]["labels"]["other"] = 2
    resolved["augment"]["flip_axes"].clear()
    assert config == SMALLEST
    assert resolve(config)["augment"]["flip_axes"] == ["x", "y", "z"]


def test_an_empty_section_has_its_defaults():
    assert resolve(changed("train", None))["train"] == resolve(SMALLEST)["train"]


def test_resolving_twice_changes_nothing():
    assert resolve(resolve(SMALLEST)) == resolve(SMALLEST)


def test_a_study_that_names_its_labels_does_not_inherit_the_phantoms():
    study = {"study": "spleen", "target": {"labels": {"spleen": 1}}}
    merged = changed("target.labels", {"nodule": 1, "spleen": 1})
    assert resolve(merged, study)["target"]["labels"] == {"spleen": 1}
    assert resolve(DEFAULT, {"study": "x"})["target"]["labels"] == {"nodule": 1}


def test_texts_from_the_command_line_are_read():
    config = changed("train", {"steps": "7", "learning_rate": "1e-3", "batch_dice": "False"})
    config["plan"] = {"patch_size": ["32", "32", "16"], "batch_size": "2", "spacing_mm": "auto", "window_hu": "lung"}
    config["target"]["labels"] = {"a": "3"}
    resolved = resolve(config)
    assert resolved["train"]["steps"] == 7
    assert isinstance(resolved["train"]["steps"], int)
    assert resolved["train"]["learning_rate"] == 0.001
    assert resolved["train"]["batch_dice"] is False
    assert resolved["plan"]["patch_size"] == [32, 32, 16]
    assert (resolved["plan"]["batch_size"], resolved["plan"]["spacing_mm"]) == (2, "auto")
    assert resolved["target"]["labels"] == {"a": 3}


def test_the_order_of_the_labels_is_kept():
    assert list(resolve(changed("target.labels", {"z": 3, "a": 1, "m": 2}))["target"]["labels"]) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.learning_rate", 3, "train.learning_rate: 3 should be a number of at most 1"),
        ("train.steps", "1e3", 'train.steps: "1e3" should be a whole number'),
        ("train.steps", "many", 'train.steps: "many" should be a whole number'),
        ("train.lerning_rate", 1, "train.lerning_rate: unknown key; did you mean learning_rate?"),
        ("trian", {}, "trian: unknown key; did you mean train?"),
        ("train.steps", 4.5, "train.steps: 4.5 should be a whole number"),
        ("train.steps", 0.5, "train.steps: 0.5 should be a whole number"),
        ("train.steps", True, "train.steps: true should be a whole number"),
        ("augment.noise_hu", math.nan, "augment.noise_hu: NaN should be a number"),
        ("augment.noise_hu", "-inf", 'augment.noise_hu: "-inf" should be a number'),
        ("augment.noise_hu", -1, "augment.noise_hu: -1 should be a number of at least 0"),
        ("augment.flip_axes", ["x", "x"], "should be a list without repetitions"),
        ("augment.flip_axes", ["x", "w"], 'augment.flip_axes[1]: "w" should be one of x, y, z'),
        ("train", 3, "train: 3 should be a section of keys"),
        ("study", "a/b", "should be a folder name"),
        ("study", "..", "should be a folder name"),
        ("study", "line\n", "should be a folder name"),
        ("study", "x" * 101, "of at most 100 characters"),
        ("study", 7, "put it in quotes"),
        ("cases.source", "fodler", "did you mean folder?"),
        ("cases.source", "table", "cases.table: is missing"),
        ("cases.source", "folder", "cases.image: is missing"),
        ("cases.source", "lidc", "cases.folder: is missing; `source: lidc` needs the path of the archive's folder"),
        ("cases.phantom.spacing_mm", [2, 1], "should name the smaller number first"),
        ("target.labels", {}, "target.labels: {} should be at least one label"),
        ("target.labels", {"a": 1, "b": 1}, "a and b have the same value 1"),
        ("target.labels", {"a b": 1}, 'the name "a b" should be a name of letters'),
        ("target.labels", {1: 1}, "the name 1 should be a name of letters"),
        ("target.labels", {"a": 256}, "target.labels.a: 256 should be a whole number of at most 255"),
        ("target.labels", {"a": 0}, "target.labels.a: 0 should be a whole number of at least 1"),
        ("target.roi_names", {"tumor": "GTV"}, "target.roi_names.tumor: is none of the labels nodule"),
        ("infer.overlap", 0.9, "infer.overlap: 0.9 should be a number below 0.9"),
        ("plan.window_hu", "lungs", "did you mean lung?"),
        ("plan.window_hu", [400, -1000], "plan.window_hu: [400, -1000] is empty"),
        ("plan.window_hu", [400], "plan.window_hu: [400] should be a list of 2 numbers"),
        (
            "network",
            {"channels": [8] * 3, "strides": [[4, 4, 4]] * 2, "stem": [2, 2, 2]},
            "should be multiples of [32, 32, 32]",
        ),
        ("network", {"channels": [8] * 6}, "plan.patch_size: [48, 48, 48] allows 4 levels, network.channels has 6"),
        ("network", {"channels": [8] * 4, "strides": [[2, 2, 2]]}, "network.channels has 4 levels and needs 3"),
        (
            "network",
            UNET | {"kernel_sizes": [[3, 3, 1]] * 3},
            "kernel_sizes: should be [3, 3, 3] at each level for unet",
        ),
        ("network.channels", [8, 16], "network.channels: has 2 levels; a dynunet needs at least 3"),
        ("network", UNET | {"stem": [2, 2, 2]}, "network.stem: needs architecture dynunet, not unet"),
        ("network", UNET | {"deep_supervision": True}, "network.deep_supervision: needs architecture dynunet"),
        ("train.class_weights", {"vessel": 2}, "train.class_weights.vessel: is none of the labels nodule"),
        ("train.init_from", "nowhere.pt", 'train.init_from: "nowhere.pt" is not a file'),
        ("train.freeze_encoder", True, "train.freeze_encoder: needs train.init_from"),
        ("plan.patch_size", "automatic", 'plan.patch_size: "automatic" should be auto or a list of 3 whole numbers'),
        ("plan.batch_size", 0, "plan.batch_size: 0 should be a whole number of at least 1"),
        ("train.gpus", 4, "plan.batch_size: 2 is no multiple of train.gpus, 4"),
        ("postprocess.threshold", 0.04, "should be a number of at least 0.05"),
        ("network.channels", [16], "should be a list of 2 to 8 whole numbers"),
        ("postprocess.threshold", 1, "should be a number below 1"),
        ("cases.exclude", [12], "cases.exclude[0]: 12 should be a case name; put it in quotes"),
    ],
)
def test_a_wrong_value_is_told_in_words(key, value, words):
    text = complaint(changed(key, value))
    assert words in text
    assert text.startswith("the config has a problem:\n  ")
    assert len(text.splitlines()) == 2


def test_all_problems_are_told_at_once():
    config = changed("train.learning_rate", 3)
    config["plan"] |= {"window_hu": [5, 1], "spacing_mm": [1, 1]}
    config["nonsense"] = 1
    lines = complaint(config).splitlines()
    assert lines[0] == "the config has 4 problems:"
    keys = sorted(line.strip().split(":")[0] for line in lines[1:])
    assert keys == ["nonsense", "plan.spacing_mm", "plan.window_hu", "train.learning_rate"]


def test_what_is_required_is_told():
    text = complaint({})
    assert all(f"{key}: is missing" in text for key in ("study", "cases.source", "target.labels"))


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        ("scans/all.nii.gz", None, "cases.image: "),
        ("{case}/{visit}", None, "{visit} is not known"),
        ("**/{case}", None, "has **"),
        ("{case}", "labels.nii.gz", "cases.label: "),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(image, label, words):
    config = changed("cases.source", "folder")
    config["cases"] |= {"image": image, "label": label}
    assert words in complaint(config)


@pytest.mark.parametrize("source", ["lidc", "luna16"])
def test_an_archive_of_nodules_has_one_label(source):
    config = changed("cases.source", source)
    config["cases"]["folder"] = "data"
    assert resolve(config)["cases"]["folder"] == "data"
    config["target"]["labels"] = {"nodule": 1, "tumour": 2}
    assert "target.labels: nodule and tumour are too many" in complaint(config)


def test_only_the_phantom_may_be_called_so():
    config = changed("cases.source", "table")
    config["cases"]["table"] = "cases.tsv"
    assert resolve(config)["study"] == "mine"
    config["study"] = "phantom"
    assert "study: is missing: name your study" in complaint(config)


def test_leftovers_of_another_source_do_not_disturb():
    config = changed("cases.source", "table")
    config["cases"] |= {"table": "cases.tsv", "image": "no field"}
    config["cases"]["phantom"]["nodules"] = [5, 2]
    assert resolve(config)["cases"]["table"] == "cases.tsv"
