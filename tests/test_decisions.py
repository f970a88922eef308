"""Decisions keep their reasons in a file, and become settings by the names of the fields."""

import json
from dataclasses import dataclass

import pytest

from ctseg.decisions import Decision, decided, settings_from, stored, unless_auto, values_of

MADE = {"spacing_mm": Decision([1, 1, 2], "the median"), "overlap": Decision(0.5, "given")}


@dataclass(frozen=True)
class Sizes:
    """Settings made from decisions."""

    patch: int
    batch: int


def test_settings_have_the_values_of_their_fields():
    made = stored(
        {"patch": Decision(96, "given"), "batch": Decision(2, "it fits"), "region": Decision("body", "given")}
    )
    assert settings_from(values_of(made), Sizes) == Sizes(96, 2)


def test_a_field_without_a_decision_is_named():
    with pytest.raises(KeyError, match="batch"):
        settings_from({"patch": 96}, Sizes)


def test_values_are_found_in_what_was_stored():
    read = json.loads(json.dumps(stored(MADE)))
    assert read["overlap"] == {"value": 0.5, "reason": "given"}
    assert decided(read, "spacing_mm") == [1, 1, 2]
    assert values_of(read) == {"spacing_mm": [1, 1, 2], "overlap": 0.5}


def test_auto_is_left_to_whoever_decides():
    assert unless_auto("auto") is None
    assert [unless_auto(value) for value in (0, False, "patch")] == [0, False, "patch"]
