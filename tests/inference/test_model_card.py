"""The card of a model describes it, also in older formats."""

import json
from dataclasses import replace

import pytest

from cards import CARD
from ctseg.errors import InputError
from ctseg.inference.model_card import FORMAT, METADATA_KEY, READABLE, ModelCard, read_card


@pytest.mark.parametrize(
    ("older", "missing"), [(3, ["provenance", "network", "scaling", "lungs"]), (4, ["network", "scaling", "lungs"])]
)
def test_a_card_of_an_older_format_is_still_read(older, missing):
    content = json.loads(CARD.to_json())
    for name in missing:
        del content[name]
    found = ModelCard.from_json(json.dumps(content | {"format": older}))
    assert found == replace(CARD, network=None, scaling=None)


def test_a_model_before_format_6_has_its_lung_field_from_the_threshold():
    content = json.loads(replace(CARD, lungs="auto").to_json())
    assert ModelCard.from_json(json.dumps(content)).lungs == "auto"
    del content["lungs"]
    assert ModelCard.from_json(json.dumps(content | {"format": 5})).lungs == "threshold"


def test_a_card_of_a_newer_format_is_refused():
    newer = CARD.to_json().replace('"format": 6', '"format": 7')
    with pytest.raises(InputError, match="format 7"):
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
