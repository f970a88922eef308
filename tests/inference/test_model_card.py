"""Model cards, also in older formats."""

import json
from dataclasses import replace

import pytest

from cards import CARD
from ctseg.errors import InputError
from ctseg.inference.model_card import FORMAT, METADATA_KEY, READABLE, ModelCard, read_card

TOLD_SINCE_7 = ["training_patients", "phantom"]
TOLD_SINCE_5 = ["network", "scaling", "lungs", *TOLD_SINCE_7]


@pytest.mark.parametrize(("older", "missing"), [(3, ["provenance", *TOLD_SINCE_5]), (4, TOLD_SINCE_5)])
def test_a_card_of_an_older_format_is_still_read(older, missing):
    content = json.loads(CARD.to_json())
    for name in missing:
        del content[name]
    found = ModelCard.from_json(json.dumps(content | {"format": older}))
    assert found == replace(CARD, network=None, scaling=None, training_patients=0, phantom=None)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"training_cases": 24, "training_patients": 20, "phantom": False}, "24 scans of 20 patients"),
        ({"training_cases": 1, "training_patients": 1, "phantom": False}, "1 scan of 1 patient"),
        ({"training_cases": 24, "training_patients": 0, "phantom": None}, "24 scans"),
        ({"training_cases": 6, "training_patients": 6, "phantom": True}, "6 phantoms"),
    ],
)
def test_a_card_tells_what_the_model_was_trained_on(told, words):
    assert replace(CARD, **told).training_data == words


def test_a_model_before_format_6_has_its_lung_field_from_the_threshold():
    content = json.loads(replace(CARD, lungs="auto").to_json())
    assert ModelCard.from_json(json.dumps(content)).lungs == "auto"
    del content["lungs"]
    assert ModelCard.from_json(json.dumps(content | {"format": 5})).lungs == "threshold"


def test_a_card_of_a_newer_format_is_refused():
    newer = CARD.to_json().replace('"format": 7', '"format": 8')
    with pytest.raises(InputError, match="format 8"):
        ModelCard.from_json(newer)
    assert METADATA_KEY == "ctseg"
    assert replace(CARD, threshold=0.25) != CARD


def test_a_card_survives_its_text():
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert CARD.to_json() == replace(CARD, versions=dict(CARD.versions)).to_json()
    assert json.loads(CARD.to_json())["format"] == FORMAT in READABLE


def test_a_card_is_read_from_the_metadata_of_a_model():
    assert read_card("a.onnx", {"other": "x", METADATA_KEY: CARD.to_json()}) == CARD
    with pytest.raises(InputError, match=r"a\.onnx is not a ctseg model: it has no `ctseg` metadata"):
        read_card("a.onnx", {"other": "x"})
