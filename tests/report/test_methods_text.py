import re

import pytest

from ctseg.catalogue.references import REFERENCES
from methods import methods_of


def test_the_text_has_the_studys_own_values():
    found, _ = methods_of()
    for words in (
        "4 CT scans of 3 phantoms were split at random by phantom",
        "2 for training, 1 for validation, 1 for testing",
        "2 × 2 × 1.5 mm",
        "-1000 to 400 HU",
        "cropped to the lung field",
        "16, 32, 64 features",
        "MONAI 1.6.1",
        "48 × 48 × 32 voxels in batches of 2",
        "learning rate 0.002",
        "rotation (up to 30°)",
        "zoom (up to 30%)",
        "a threshold of 0.4",
        "components below 30 mm³ were removed",
        "surface Dice: 2 mm",
    ):
        assert words in found, words
    assert "elastic" not in found


def test_every_reference_is_cited_and_numbered_in_order():
    found, references = methods_of()
    numbers = [int(number) for group in re.findall(r"\[([\d, ]+)\]", found) for number in group.split(", ")]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(references) + 1))
    assert set(references) <= set(REFERENCES.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": {"architecture": "segresnet"}}, "SegResNet"),
        ({"train": {"loss": "tversky_bce"}}, "Tversky"),
        ({"train": {"optimiser": "sgd"}}, "stochastic gradient descent"),
        ({"split": {"folds": 5}}, "5-fold cross-validation"),
        ({"train": {"repeats": 3}}, "3 networks were trained"),
        ({"cases": {"source": "lidc"}}, "from LIDC-IDRI [1]"),
    ],
)
def test_a_change_of_the_config_changes_the_text(change, words):
    assert words not in methods_of()[0]
    assert words in methods_of(change)[0]


def test_a_given_model_is_told_as_one():
    found, references = methods_of(given=True)
    assert "a model for nodule from another study, in which it was trained on 12 scans" in found
    assert "chosen on cases" not in found
    assert "1.5 × 1.5 × 2 mm" in found
    assert "AdamW" not in found
    assert "Dice" not in found
    assert len(references) == 1


def test_phantoms_are_no_patients():
    found, _ = methods_of()
    assert "patient" not in found
    assert "4 CT scans of 3 patients were split by patient" in methods_of({"cases": {"source": "table"}})[0]


def test_training_stopped_early_only_where_it_did():
    steps = {"train": {"steps": 900, "patience": 4}}
    for trained, words in (
        ([900, 900], "this did not occur, and all 900 steps were done"),
        ([600], "; it stopped after 600 steps"),
        ([900, 600, 450, 450], "; 3 of 4 networks stopped early, after 450 to 600 steps"),
    ):
        assert words in methods_of(steps, trained_steps=trained)[0]
