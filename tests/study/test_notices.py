"""Messages on a study before a run."""

import pytest

from ctseg.study.cases import Case
from ctseg.study.notices import (
    notices,
    on_given_splits,
    on_gpus,
    on_keys_of_the_model,
    on_missing_labels,
    on_new_names,
    on_pseudonyms,
    on_threads,
)
from ctseg.study.pseudonyms import pseudonym
from ctseg.study.splits import Assignment
from ctseg.study.study import Study
from many_cases import DEFAULTS, study

PSEUDONYM = pseudonym("Zyx", b"0" * 16)


def cases(*labels, **more):
    return [Case(name, f"{name}.nii", label, **more) for name, label in zip("abc", labels, strict=True)]


def test_a_case_that_turns_out_to_have_no_label_is_named():
    line = "1 of 3 cases without a label, to be segmented only: c"
    assert list(on_missing_labels(cases("a", "b", None))) == [line]
    assert "1 of 5 cases without a label, to be segmented only: d" in notices(study(), {}, {}, submitted=False)


def test_nothing_is_said_where_labels_are_not_expected():
    assert not list(on_missing_labels(cases("a", "b", "c")))
    assert not list(on_missing_labels(cases("a", "b", None, split="predict")))
    assert not list(notices(study(model="model.onnx"), {}, {}, submitted=False))


def test_many_names_are_cut_short():
    many = [Case(f"case_{number}", "image.nii") for number in range(99)] + [Case("last", "image.nii", "label.nii")]
    (line,) = on_missing_labels(many)
    assert line.startswith("99 of 100 cases without a label")
    assert line.endswith("case_9, …")


def test_pseudonyms_are_announced_with_the_table_that_explains_them():
    (line,) = on_pseudonyms([Case(PSEUDONYM, "a.nii", "b.nii")], "safe/my.key")
    assert "safe/pseudonyms.tsv tells who is who" in line
    assert "cases.names: keep" in line


@pytest.mark.parametrize(
    ("former", "now", "told"),
    [
        ([PSEUDONYM], ["case_2"], True),
        (["case_2"], [PSEUDONYM], True),
        ([PSEUDONYM], [pseudonym("Zyx", b"1" * 16)], True),
        ([PSEUDONYM, "b"], [PSEUDONYM], False),
        (["case_1"], ["case_2"], False),  # other data, as anyone sees
        ([], [PSEUDONYM], False),
    ],
)
def test_new_names_of_all_cases_are_told(tmp_path, monkeypatch, former, now, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/many/images").mkdir(parents=True)
    for name in former:
        (tmp_path / f"results/many/images/{name}.json").touch()
    places = dict.fromkeys(now, Assignment("train"))
    lines = list(on_new_names(Study(study().config, {name: Case(name, "a.nii") for name in now}, places)))
    assert len(lines) == told
    assert all("no case is called as in results/many, so all jobs run again" in line for line in lines)


def test_cases_that_a_given_model_may_know_are_told():
    (line,) = on_given_splits([*cases("a", "b", None, split="train"), Case("d", "d.nii", "d.nii")])
    assert line.startswith("2 of 4 cases are segmented and not measured")
    assert line.endswith(": a, b")
    assert not list(on_given_splits(cases("a", "b", None, split="test")))


def test_settings_that_a_given_model_replaces_are_told():
    given = {"infer": {"overlap": 0.25, "engine": "torch"}, "postprocess": {"threshold": 0.7}, "train": None}
    (line,) = on_keys_of_the_model(given)
    assert "its own infer.overlap, postprocess.threshold, so" in line
    assert not list(on_keys_of_the_model({"infer": {"engine": "torch"}}))
    assert line in notices(study(model="model.onnx"), given, {}, submitted=False)
    assert line not in notices(study(), given, {}, submitted=False)


@pytest.mark.parametrize(("wanted", "allowed"), [(1, 1), (4, 4), (4, 0), (4, None), (1, 4)])
def test_nothing_is_said_of_gpus_that_training_gets_or_should_not_use(wanted, allowed):
    assert not list(on_gpus(wanted, allowed))


def test_a_limit_that_leaves_gpus_unused_is_told():
    (line,) = on_gpus(4, 1)
    assert "train.gpus is 4, but the limit of this run is 1; add --resources gpu=4" in line
    assert line in notices(study(train={"gpus": 4}), {}, {"gpu": 1}, submitted=False)


def test_a_profile_that_cuts_the_threads_of_submitted_jobs_is_told():
    (line,) = on_threads(16, 4)
    assert "resources.threads is 16, but Snakemake gives a submitted job at most 4; set cores: 16" in line
    assert not list(on_threads(4, 4)) + list(on_threads(16, None))
    many = study(resources={"threads": 16})
    assert line in notices(many, {}, {"_cores": 4}, submitted=True)
    assert line not in notices(many, {}, {"_cores": 4}, submitted=False)
    assert DEFAULTS["resources"]["threads"] <= 4
