"""What people are told of a model: a toy says that it is one."""

from dataclasses import replace

import pytest

from ball_model import CARD
from ctseg.file_hash import sha256_of
from ctseg.files import write_json
from serving.model_facts import model_facts, trained_on_phantom


def provenance(folder, *rules):
    write_json(folder / "provenance.json", {"format": 1, "jobs": [{"rule": rule} for rule in rules]})
    return replace(CARD, provenance=sha256_of(folder / "provenance.json"))


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"weights")
    return tmp_path / "model.onnx"


def test_a_model_of_the_phantom_is_a_toy_and_one_of_patients_is_none(model):
    assert trained_on_phantom(model, provenance(model.parent, "make_phantom", "train")) is True
    assert trained_on_phantom(model, provenance(model.parent, "convert_image", "train")) is False


def test_nobody_can_say_without_the_provenance_of_this_very_model(model):
    assert trained_on_phantom(model, CARD) is None
    provenance(model.parent, "make_phantom")
    assert trained_on_phantom(model, replace(CARD, provenance="0" * 64)) is None
    (model.parent / "provenance.json").unlink()
    assert trained_on_phantom(model, replace(CARD, provenance="0" * 64)) is None


def test_the_facts_are_those_of_card_and_file(model):
    facts = model_facts(model, CARD, "mine")
    assert (facts.name, facts.targets, facts.training_cases) == ("mine", CARD.labels, CARD.training_cases)
    assert facts.sha256 == sha256_of(model)
