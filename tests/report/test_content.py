import pandas as pd
import pytest

from ctseg.evaluation.summary import summarise
from ctseg.report.content import (
    caption,
    cautions,
    costs,
    headline,
    headline_split,
    looked_through,
    pictured,
    training_speeds,
    worst_first,
)

NAN = float("nan")


@pytest.fixture
def cases():
    """Six measured cases, of which one is missed and one a false alarm."""
    dice = {"a": 0.9, "b": 0.0, "c": 0.5, "d": NAN, "e": 0.0, "f": 0.7}
    states = {"b": "missed", "d": "both_empty", "e": "false_alarm"}
    rows = [
        {
            "case": case,
            "split": "val" if case == "f" else "test",
            "fold": "",
            "label": "nodule",
            "state": states.get(case, "both"),
            "dice": value,
            "surface_dice_2mm": value,
            "hd95_mm": 3.0,
            "false_lesions": 1.0,
            "found_lesions": 2.0,
            "reference_lesions": 3.0,
        }
        for case, value in dice.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def cohort(cases):
    """Their scans, one of them with a warning."""
    return pd.DataFrame({"case": cases["case"], "warnings": [None, "tilted", None, None, None, None]})


def test_failures_come_first_and_what_has_no_dice_last(cases):
    assert worst_first(cases)["case"].tolist() == ["b", "e", "c", "f", "a", "d"]


def test_volumes_that_move_with_the_grid_are_told(cases, cohort):
    def told(percent):
        moved = cases.assign(stability_volume_percent=percent)
        return [text for text in cautions(moved, cohort, "test", "folder", {"0": 0.8}, {}) if "half a voxel" in text]

    (text,) = told([12.0, NAN, 26.0, 3.0, 10.0, 40.0])
    assert "2 volumes of 5 changed by more than 10 %" in text
    assert told([1.0, NAN, 2.0, 3.0, 10.0, 40.0]) == []


def test_the_worst_half_is_pictured_and_a_sample_of_the_rest(cases):
    ranked = worst_first(cases)["case"].tolist()
    assert pictured(ranked, ["x"], 30) == ["b", "e", "c", "f", "a", "d", "x"]
    assert pictured(ranked, ["x"], 4) == ["b", "e", "c", "x"]
    assert pictured(ranked, [], 0) == []


def test_cases_to_look_through_go_from_the_worst_to_the_best(cases):
    assert looked_through(cases, 3) == ["b", "c", "d"]
    assert looked_through(cases, 99) == ["b", "e", "c", "a", "d"]
    assert looked_through(cases, 0) == []


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
    assert "Only 5 cases measured" in text
    assert "Of 6 scans, 1 with a warning" in text
    for absent in ("phantoms", "No case was held out", "One network", "lung field", "learnt nothing"):
        assert absent not in text
    assert "phantoms" in told(cases, cohort, source="phantom")
    assert "No case was held out" in told(cases, cohort, split="val")
    assert "One network" in told(cases, cohort, networks={"0": 0.8})
    assert "Network 0-repeat2 learnt nothing" in told(cases, cohort, networks={"0": 0.8, "0-repeat2": 0.0})
    assert "not plausible in a;" in told(cases, cohort, plausible={"a": False})
    assert "trained in another study" in told(cases, cohort, networks=None)
    unlabelled = told(None, cohort, networks=None)
    assert "No scan has a label" in unlabelled
    assert "comparisons" not in unlabelled


def test_a_caption_says_what_happened_to_the_case(cases):
    by_case = cases.set_index("case", drop=False)
    assert caption(by_case.loc[["a"]]) == "nodule: Dice 0.900, 2 of 3 lesions found, 1 false"
    assert "Dice 0.000 (missed)" in caption(by_case.loc[["b"]])
    assert "no Dice (both empty)" in caption(by_case.loc[["d"]])
    assert caption(by_case.iloc[:0]) == "no label to compare with"


def test_the_speed_of_training_is_what_its_log_says(tmp_path):
    speed = "2000 steps in 9.0 min on 2 cores, ACME: 7.41 patches a second"
    (tmp_path / "0.log").write_text(f"07:00:00 INFO training on 9 cases\n07:09:00 INFO {speed}\n")
    assert training_speeds(tmp_path) == [f"network 0: {speed}"]
    assert training_speeds(tmp_path / "none") == []


def test_costs_are_summed_by_rule(tmp_path):
    for rule, seconds in (("infer", (30, 90)), ("train", (600,))):
        for number, value in enumerate(seconds):
            path = tmp_path / rule / f"{number}.tsv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"s\th:m:s\tmax_rss\n{value}\t0:00:30\t{100 * value}\n")
    found = costs(tmp_path).set_index("rule")
    assert found.loc["infer"].tolist() == [2, 2.0, 1.5, 9000.0]
    assert found.loc["train", "minutes_in_all"] == 10
