import copy
import math
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from configs import DEFAULT, SCHEMA_PATH, changed, complaint, only_problem, resolve
from ctseg.geometry.hounsfield import WINDOWS_HU
from ctseg.study.schema import read_schema

SCHEMA = read_schema(SCHEMA_PATH)
SMALLEST = {"study": "a", "cases": {"source": "phantom"}, "target": {"labels": {"nodule": 1}}}


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
        ("target.labels", {}, "target.labels: {} should be at least one label"),
        ("target.labels", {"a b": 1}, 'the name "a b" should be a name of letters'),
        ("target.labels", {1: 1}, "the name 1 should be a name of letters"),
        ("target.labels", {"a": 256}, "target.labels.a: 256 should be a whole number of at most 255"),
        ("target.labels", {"a": 0}, "target.labels.a: 0 should be a whole number of at least 1"),
        ("infer.overlap", 0.9, "infer.overlap: 0.9 should be a number below 0.9"),
        ("plan.window_hu", "lungs", "did you mean lung?"),
        ("plan.window_hu", [400], "plan.window_hu: [400] should be a list of 2 numbers"),
        ("plan.patch_size", "automatic", 'plan.patch_size: "automatic" should be auto or a list of 3 whole numbers'),
        ("plan.batch_size", 0, "plan.batch_size: 0 should be a whole number of at least 1"),
        ("postprocess.threshold", 0.04, "should be a number of at least 0.05"),
        ("network.channels", [16], "should be a list of 2 to 8 whole numbers"),
        ("postprocess.threshold", 1, "should be a number below 1"),
        ("cases.exclude", [12], "cases.exclude[0]: 12 should be a case name; put it in quotes"),
    ],
)
def test_a_wrong_value_is_told_in_words(key, value, words):
    assert words in only_problem(changed(key, value))


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


def test_leftovers_of_another_source_do_not_disturb():
    config = changed("cases.source", "table")
    config["cases"] |= {"table": "cases.tsv", "image": "no field"}
    config["cases"]["phantom"]["nodules"] = [5, 2]
    assert resolve(config)["cases"]["table"] == "cases.tsv"
