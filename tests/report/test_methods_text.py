import re

import pandas as pd
import pytest
import yaml

from ctseg.report.methods_text import REFERENCES, methods
from places import ROOT
from studies import merged

COHORT = pd.DataFrame({"patient": [0, 0, 1, 2], "split": ["train", "train", "val", "test"]})
PLAN = {"spacing_mm": [2.0, 2.0, 1.5], "window_hu": [-1000.0, 400.0], "patch_size": [48, 48, 32], "batch_size": 2}
PLAN |= {"channels": [16, 32, 64], "region": "lungs"}
CLEANING = {"threshold": 0.4, "min_volume_mm3": 30.0, "keep_largest": False, "restrict_to_region": True}
CARD = {"versions": {"monai": "1.6.1", "torch": "2.13.0"}, "labels": ["nodule"], "training_cases": 12}
CARD |= {"training_hash": "0123456789abcdef" * 4, "preparation": {"spacing_xyz_mm": [1.5, 1.5, 2.0]}}
INFER = {"window": "patch", "overlap": 0.5, "precision": "float32", "mirror_axes": ""}


def text(changes=None, given=False):
    config = merged(yaml.safe_load((ROOT / "config.yaml").read_text()), changes or {})
    parts = {"plan": PLAN, "cleaning": CLEANING, "inference": INFER}
    made = {
        name: {key: {"value": value, "reason": ""} for key, value in part.items()}
        for name, part in parts.items()
        if name != "plan" or not given
    }
    paragraphs, references = methods(config, made, COHORT, CARD, measured=not given)
    return " ".join(paragraphs), references


def test_the_text_has_the_studys_own_values():
    found, _ = text()
    for words in (
        "4 CT scans of 3 patients",
        "2 for training, 1 for validation, 1 for testing",
        "2 × 2 × 1.5 mm",
        "-1000 to 400 HU",
        "cropped to the lung field",
        "16, 32, 64 features",
        "MONAI 1.6.1",
        "48 × 48 × 32 voxels in batches of 2",
        "learning rate 0.004",
        "rotation (up to 15°)",
        "zoom (up to 10%)",
        "voxels of at least 0.4",
        "components below 30 mm³ were removed",
        "surface Dice at 2 mm",
    ):
        assert words in found, words
    assert "elastic" not in found


def test_every_reference_is_cited_and_numbered_in_order():
    found, references = text()
    numbers = [int(number) for group in re.findall(r"\[([\d, ]+)\]", found) for number in group.split(", ")]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(references) + 1))
    assert set(references) <= set(REFERENCES.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": {"architecture": "dynunet"}}, "DynUNet"),
        ({"train": {"loss": "tversky_bce"}}, "Tversky"),
        ({"train": {"optimiser": "sgd"}}, "stochastic gradient descent"),
        ({"split": {"folds": 5}}, "5-fold cross-validation"),
        ({"train": {"repeats": 3}}, "3 networks were trained"),
    ],
)
def test_a_change_of_the_config_changes_the_text(change, words):
    assert words not in text()[0]
    assert words in text(change)[0]


def test_a_given_model_is_told_as_one():
    found, references = text(given=True)
    assert "a model for nodule that had been trained on 12 other scans" in found
    assert "1.5 × 1.5 × 2 mm" in found
    assert "AdamW" not in found
    assert "Dice" not in found
    assert len(references) == 1
