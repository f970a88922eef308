"""Description of a model from its card."""

import json
from dataclasses import replace

import pytest

from ball_model import CARD
from command import ctseg
from ctseg.command.info import lines, postprocessing, trained_on
from ctseg.inference.model_card import ModelCard
from ctseg.masks.postprocessing import PostprocessSettings


@pytest.mark.parametrize("name", ["model.onnx", "model.ts", "model.int8.onnx"])
def test_a_model_is_told_in_words(model_folder, name):
    run = ctseg("info", model_folder / name)
    assert run.returncode == 0, run.stderr
    told = dict(line.strip().split(maxsplit=1) for line in run.stdout.splitlines()[1:])
    assert told["segments"] == "ball"
    assert told["voxels"].startswith("2 × 2 × 2 mm")
    assert "no medical device" in told["note"]


def test_the_card_as_json_is_the_card(model_folder):
    run = ctseg("info", model_folder / "model.onnx", "--json")
    found = ModelCard.from_json(json.dumps({"format": 5, **json.loads(run.stdout)}))
    assert found == CARD


def test_training_network_and_postprocessing_are_told():
    card = replace(
        CARD,
        training_cases=24,
        training_patients=20,
        n_networks=5,
        trained_on={"pixel_spacing_mm": [0.7, 0.9766], "slice_spacing_mm": [3.0, 3.0]},
        postprocess=PostprocessSettings(20.0, True, True),
        preparation=replace(CARD.preparation, region="lungs"),
    )
    assert trained_on(card) == "24 scans of 20 patients, pixels of 0.7 to 0.977 mm, slices 3 mm apart"
    assert postprocessing(card).count(";") == 2
    told = dict(lines(card))
    assert told["network"] == "the mean of 5 networks: unet with 8, 16, 16 features"
    assert told["works in"].startswith("the lungs")
    assert "does not describe" in dict(lines(replace(card, network=None)))["network"]


@pytest.mark.parametrize("name", ["none.onnx", "none.ts", "other.onnx", "other.ts", "other.txt"])
def test_what_is_no_model_is_refused(tmp_path, name):
    if name.startswith("other"):
        (tmp_path / name).write_bytes(b"no model")
    run = ctseg("info", tmp_path / name)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert name in run.stderr
