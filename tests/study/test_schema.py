"""Validation of values by a schema: defaults are filled in, and errors have clear messages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.study.schema import Problem, fill_defaults, find_problems, read_schema, read_texts, show

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "[a-z]+$", "title": "a name of small letters"},
        "steps": {"type": "integer", "minimum": 1, "default": 10},
        "rate": {"anyOf": [{"enum": ["auto"]}, {"type": "number", "exclusiveMaximum": 1}], "default": "auto"},
        "size": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3, "default": [1, 2, 3]},
        "labels": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {"a": 1}},
        "train": {"type": "object", "properties": {"fast": {"type": "boolean", "default": False}}},
    },
}
FILLED = {"name": "x", "steps": 10, "rate": "auto", "size": [1, 2, 3], "labels": {"a": 1}, "train": {"fast": False}}


def told(**values) -> list[str]:
    return [str(problem) for problem in find_problems({"name": "x"} | values, SCHEMA)]


def test_what_is_left_out_has_its_default_and_nothing_is_shared():
    given_value = {"name": "x"}
    filled = fill_defaults(given_value, SCHEMA)
    assert filled == FILLED
    assert told(**filled) == []
    filled["size"].append(4)
    assert fill_defaults(given_value, SCHEMA) == FILLED
    assert given_value == {"name": "x"}
    assert fill_defaults(FILLED, SCHEMA) == FILLED


def test_an_empty_section_counts_as_left_out_and_unknown_keys_stay():
    assert fill_defaults({"name": "x", "train": None}, SCHEMA) == FILLED
    assert fill_defaults({"name": "x", "nonsense": 1}, SCHEMA)["nonsense"] == 1


def test_a_mapping_with_free_names_is_the_given_one():
    merged, own = {"name": "x", "labels": {"a": 1, "b": 2}}, {"labels": {"b": 2}}
    assert fill_defaults(merged, SCHEMA, own)["labels"] == {"b": 2}
    assert fill_defaults(merged, SCHEMA, {})["labels"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": 0}, "steps: 0 should be a whole number of at least 1"),
        ({"steps": 2.0}, "steps: 2.0 should be a whole number"),
        ({"steps": True}, "steps: true should be a whole number"),
        ({"rate": 1}, "rate: 1 should be a number below 1"),
        ({"rate": "aut"}, 'rate: "aut" should be auto or a number; did you mean auto?'),
        ({"rate": math.inf}, "rate: Infinity should be auto or a number"),
        ({"size": [1, 2]}, "size: [1, 2] should be a list of 3 whole numbers"),
        ({"name": "A"}, 'name: "A" should be a name of small letters'),
        ({"name": "a\n"}, 'name: "a\\n" should be a name of small letters'),
        ({"name": 7}, "name: 7 should be a name of small letters; put it in quotes"),
        ({"stesp": 1}, "stesp: unknown key; did you mean steps?"),
        ({"train": 3}, "train: 3 should be a section of keys"),
        ({"labels": {"a": "x"}}, 'labels.a: "x" should be a whole number'),
        ({"size": [1, 2, "x"]}, 'size[2]: "x" should be a whole number'),
    ],
)
def test_what_is_wrong_is_told_in_one_line(values, words):
    assert told(**values) == [words]


def test_what_is_missing_is_told_and_each_problem_once():
    assert find_problems({}, SCHEMA) == [Problem("name", "is missing; it should be a name of small letters")]
    assert len(find_problems({"steps": 0, "rate": 2}, SCHEMA)) == 3


def test_texts_become_what_the_schema_wants():
    read = read_texts(
        {"name": "7", "steps": "12", "rate": "1e-3", "size": ["1", "2", 3.0], "train": {"fast": "True"}}, SCHEMA
    )
    assert read == {"name": "7", "steps": 12, "rate": 0.001, "size": [1, 2, 3], "train": {"fast": True}}
    assert type(read["size"][2]) is int
    assert read_texts({"steps": "many", "rate": "auto"}, SCHEMA) == {"steps": "many", "rate": "auto"}


@given(st.text(), st.integers(2, 80))
def test_a_value_is_shown_in_a_line_of_bounded_length(text, longest):
    shown = show(text, longest)
    assert len(shown) <= longest
    assert "\n" not in shown


def test_a_schema_is_read_from_yaml(tmp_path):
    (tmp_path / "a.yaml").write_text("type: object\nproperties: {a: {default: 1e-3}}\n")
    assert read_schema(tmp_path / "a.yaml")["type"] == "object"
    with pytest.raises(OSError, match="missing"):
        read_schema(tmp_path / "missing.yaml")
