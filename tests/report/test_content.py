from ctseg.report.content import (
    caption,
    costs,
    looked_through,
    pictured,
    training_speeds,
    worst_first,
)
from measured_cases import cases

__all__ = ["cases"]  # a fixture


def test_failures_come_first_and_what_has_no_dice_last(cases):
    assert worst_first(cases)["case"].tolist() == ["b", "e", "c", "f", "a", "d"]


def test_the_worst_half_is_pictured_and_a_sample_of_the_rest(cases):
    ranked = worst_first(cases)["case"].tolist()
    assert pictured(ranked, ["x"], 30) == ["b", "e", "c", "f", "a", "d", "x"]
    assert pictured(ranked, ["x"], 4) == ["b", "e", "c", "x"]
    assert pictured(ranked, [], 0) == []


def test_cases_to_look_through_go_from_the_worst_to_the_best(cases):
    assert looked_through(cases, 3) == ["b", "c", "d"]
    assert looked_through(cases, 99) == ["b", "e", "c", "a", "d"]
    assert looked_through(cases, 0) == []


def test_a_caption_says_what_happened_to_the_case(cases):
    by_case = cases.set_index("case", drop=False)
    assert caption(by_case.loc[["a"]]) == "nodule: Dice 0.900, 2 of 3 lesions found, 1 false"
    assert "Dice 0.000 (missed)" in caption(by_case.loc[["b"]])
    assert "no Dice (both empty)" in caption(by_case.loc[["d"]])
    assert caption(by_case.iloc[:0]) == "no label to compare with"


def test_the_speed_of_training_is_what_its_log_says(tmp_path):
    speed = "2000 steps in 9.0 min on 2 cores, ACME: 7.41 patches a second"
    (tmp_path / "0.log").write_text(f"07:00:00 INFO training on 9 cases\n07:09:00 INFO {speed}\n")
    (tmp_path / "1.log").write_text((tmp_path / "0.log").read_text())  # of a fold that the study no longer has
    assert training_speeds(tmp_path, {"0", "0-repeat1"}) == [f"network 0: {speed}"]
    assert training_speeds(tmp_path / "none", {"0"}) == []


def test_costs_are_summed_by_rule(tmp_path):
    jobs = {"infer/a": 30, "infer/b.1": 90, "infer/gone": 600, "train/0": 600, "train/1": 600, "tune/model": 6}
    jobs |= {"quantize/model": 12, "quantize/folds/0": 12, "quantize/folds/1": 12, "report/report": 3}
    for name, seconds in jobs.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:30\t{100 * seconds}\n")
    found = costs(tmp_path, {"a", "b.1", "0", "folds/0", "model"}).set_index("rule")
    assert found.loc["infer"].tolist() == [2, 2.0, 1.5, 9000.0]
    assert found["jobs"].to_dict() == {"infer": 2, "quantize": 2, "report": 1, "train": 1, "tune": 1}
    assert found.loc["train", "minutes_in_all"] == 10
