"""Decisions keep their reasons on the way through a file."""

import json

from ctseg.decisions import Decision, decided, stored, unless_auto, values_of

MADE = {"spacing_mm": Decision([1, 1, 2], "the median"), "overlap": Decision(0.5, "given")}


def test_values_are_found_in_what_was_stored():
    read = json.loads(json.dumps(stored(MADE)))
    assert read["overlap"] == {"value": 0.5, "reason": "given"}
    assert decided(read, "spacing_mm") == [1, 1, 2]
    assert values_of(read) == {"spacing_mm": [1, 1, 2], "overlap": 0.5}


def test_auto_is_left_to_whoever_decides():
    assert unless_auto("auto") is None
    assert [unless_auto(value) for value in (0, False, "patch")] == [0, False, "patch"]
