from dataclasses import replace

import pandas as pd
import pytest

import cards
from ctseg.evaluation.summary import summarise
from ctseg.report.content import headline_split
from ctseg.report.front_page import cautions, headline, summary
from measured_cases import NAN, cases

__all__ = ["cases"]  # a fixture


@pytest.fixture
def cohort(cases):
    """Cohort table of the cases; one scan has a warning."""
    return pd.DataFrame({"case": cases["case"], "warnings": [None, "tilted", None, None, None, None]})


def test_volumes_that_move_with_the_grid_are_told(cases, cohort):
    def told(percent):
        moved = cases.assign(stability_volume_percent=percent)
        return [text for text in cautions(moved, cohort, "test", "folder", {"0": 0.8}, {}) if "half a voxel" in text]

    (text,) = told([12.0, NAN, 26.0, 3.0, 10.0, 40.0])
    assert "2 volumes of 5 changed by more than 10 %" in text
    assert told([1.0, NAN, 2.0, 3.0, 10.0, 40.0]) == []


def test_the_front_page_speaks_of_held_out_cases_with_their_own_numbers(cases):
    assert headline_split(cases) == "test"
    assert headline_split(cases[cases["split"] == "val"]) == "val"
    summary = summarise(cases)
    lesions = pd.DataFrame({"split": ["test"], "label": "nodule", "diameter": "all", "found": 10, "lesions": 15})
    lesions = lesions.assign(sensitivity=2 / 3, sensitivity_low=0.38, sensitivity_high=0.88)
    tiles = {tile["name"]: tile for tile in headline(summary, "test", lesions)["nodule"]}
    assert tiles["Lesions found"] == {"name": "Lesions found", "value": "10 of 15", "interval": "67%; 38% to 88%"}
    assert list(tiles)[-2:] == ["Lesions found", "False lesions per scan"]
    assert tiles["Dice"]["value"] == "0.35"
    assert tiles["Surface Dice at 2 mm"]["value"] == "0.35"
    assert tiles["HD95"]["value"] == "3 mm"
    undefined = headline(summary.assign(mean=NAN), "test", lesions.assign(sensitivity_low=NAN))["nodule"]
    assert {tile["value"] for tile in undefined} == {"–", "10 of 15"}
    assert next(tile["interval"] for tile in undefined if tile["name"] == "Lesions found") == "67%"
    row = summary[(summary["metric"] == "dice") & (summary["split"] == "test")].iloc[0]
    assert tiles["Dice"]["interval"] == f"{row['mean_low']:.3g} to {row['mean_high']:.3g}; 4 of 5 cases"


def told(cases, cohort, **changes):
    settings = {
        "split": "test",
        "source": "folder",
        "networks": dict.fromkeys("01234", 0.8),
        "plausible": {"a": True},
    } | changes
    return " ".join(cautions(cases, cohort, **settings))


def test_cautions_follow_from_the_study(cases, cohort):
    text = told(cases, cohort)
    assert "In 2 of 5 comparisons" in text
    assert "b, e" in text
    assert "Only 5 cases were measured" in text
    assert "Scans with a warning: 1 of 6" in text
    for absent in ("phantoms", "No case was held out", "One network", "lung field", "learnt nothing"):
        assert absent not in text
    assert "Only 1 case was measured" in told(cases.head(1), cohort)
    assert "phantoms" in told(cases, cohort, source="phantom")
    assert "No case was held out" in told(cases, cohort, split="val")
    assert "One network" in told(cases, cohort, networks={"0": 0.8})
    assert "Network 0-repeat2 learnt nothing" in told(cases, cohort, networks={"0": 0.8, "0-repeat2": 0.0})
    assert "not plausible in a;" in told(cases, cohort, plausible={"a": False})
    assert "trained in another study" in told(cases, cohort, networks=None)
    unlabelled = told(None, cohort, networks=None)
    assert "No scan has a label" in unlabelled
    assert "comparisons" not in unlabelled


def test_the_summary_says_what_was_trained_and_measured(cases):
    cohort = pd.DataFrame({"case": list("abcd"), "patient": [0, 0, 1, 2]})
    card = replace(cards.CARD, labels=("nodule",), training_cases=3, n_networks=1)
    text = summary(cohort, card, cases, "test", given=False, who="patient")
    assert text.startswith("A 3-D network was trained on 3 of 4 CT scans of 3 patients to segment nodule.")
    assert "measured on 5 scans of the split “test”" in text
    assert "of 3 phantoms" in summary(cohort, card, cases, "test", given=False, who="phantom")


def test_a_model_from_another_study_was_not_trained_on_these_scans():
    cohort = pd.DataFrame({"case": list("ab"), "patient": [0, 1]})
    card = replace(cards.CARD, labels=("nodule",), training_cases=2, training_patients=1, n_networks=2)
    text = summary(cohort, card, None, "", given=True, who="patient")
    assert text.startswith(
        "A model from another study, trained there on 2 scans of 1 patient, segmented nodule in 2 CT"
    )
    assert "nothing was measured" in text
