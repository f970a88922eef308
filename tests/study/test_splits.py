import dataclasses
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.study.cases import Case
from ctseg.study.splits import Assignment, assign_splits, fold_cases, hash_fraction, without_training

CONFIG = {"by_seed": 1, "test_fraction": 0.25, "folds": 1, "validation_fraction": 0.2}


def labelled(number: int, per_patient: int = 1) -> list[Case]:
    return [
        Case(f"c{index}", f"c{index}.nii", f"l{index}.nii", patient=f"p{index // per_patient}")
        for index in range(number)
    ]


def placed(cases: list[Case], **config: Any) -> dict[str, Assignment]:
    return assign_splits(cases, CONFIG | config)


@st.composite
def studies(draw: Any) -> list[Case]:
    """Cases of a few patients; each patient has at most one split of its own, and a case may lack a label."""
    cases = []
    for patient in range(draw(st.integers(1, 12))):
        split = draw(st.sampled_from([None, None, None, "train", "val", "test"]))
        for scan in range(draw(st.integers(1, 3))):
            name = f"p{patient}s{scan}"
            label = draw(st.sampled_from([f"{name}.nii", f"{name}.nii", None]))
            own = draw(st.sampled_from([split, None, "predict"])) if label else None
            cases.append(Case(name, f"{name}/ct", label, patient=f"p{patient}", split=own))
    return cases


CONFIGS = st.fixed_dictionaries(
    {
        "by_seed": st.integers(0, 99),
        "test_fraction": st.sampled_from([0, 0.25, 0.5, 0.9]),
        "folds": st.integers(1, 5),
        "validation_fraction": st.sampled_from([0, 0.2, 0.9]),
    }
)


@given(studies(), CONFIGS)
def test_no_patient_stands_on_two_sides(cases, config):
    places = assign_splits(cases, config)
    assert set(places) == {case.case for case in cases}
    sides: dict[str, set] = {}
    for case in cases:
        if places[case.case].split != "predict":
            sides.setdefault(case.patient, set()).add(places[case.case])
    assert all(len(found) == 1 for found in sides.values())


@given(studies(), CONFIGS)
def test_a_split_that_a_case_names_wins_and_without_a_label_it_is_predicted(cases, config):
    places = assign_splits(cases, config)
    for case in cases:
        if case.split or not case.label:
            assert places[case.case].split == (case.split or "predict")


def test_a_given_model_is_measured_where_it_did_not_learn():
    splits = [None, "test", "val", "train", "predict"]
    cases = [Case(f"c{split}", "image.nii", "label.nii", split=split) for split in splits] + [Case("d", "image.nii")]
    places = {name: place.split for name, place in without_training(cases).items()}
    assert places == {"cNone": "test", "ctest": "test"} | dict.fromkeys(["cval", "ctrain", "cpredict", "d"], "predict")


@given(studies(), CONFIGS)
def test_training_validation_and_test_share_no_case(cases, config):
    places = assign_splits(cases, config)
    held_out = {name for name, place in places.items() if place.split in ("test", "predict")}
    validated: Counter[str] = Counter()
    for fold in range(config["folds"]):
        try:
            training, validation = fold_cases(places, fold)
        except InputError:
            continue
        assert not set(training) & set(validation)
        assert set(training) | set(validation) == set(places) - held_out
        validated.update(name for name in validation if places[name].split == "train")
    assert all(count == 1 for count in validated.values())


@given(studies(), CONFIGS, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(cases, config, random):
    shuffled = random.sample(cases, len(cases))
    assert assign_splits(shuffled, config) == assign_splits(cases, config)


@given(st.integers(40, 60), st.integers(0, 20), st.sampled_from([1, 2, 3]))
def test_adding_cases_moves_no_other(number, added, folds):
    before, after = placed(labelled(number), folds=folds), placed(labelled(number + added), folds=folds)
    assert {name: after[name] for name in before} == before


@given(st.integers(3, 12), st.integers(0, 99))
def test_three_patients_are_enough_for_training_validation_and_test(number, seed):
    places = placed(labelled(number), by_seed=seed)
    assert {place.split for place in places.values()} == {"train", "val", "test"}


@given(st.integers(2, 6), st.integers(0, 6), st.integers(0, 99))
def test_no_fold_is_empty_where_there_are_enough_patients(folds, more, seed):
    places = placed(labelled(folds + 1 + more), folds=folds, by_seed=seed)
    assert any(place.split == "test" for place in places.values())
    assert {place.fold for place in places.values() if place.split == "train"} == set(range(folds))
    for fold in range(folds):
        fold_cases(places, fold)


def test_two_patients_train_and_validate():
    assert sorted(place.split for place in placed(labelled(2)).values()) == ["train", "val"]


def test_without_fractions_all_train():
    places = placed(labelled(20), test_fraction=0, validation_fraction=0)
    assert {place.split for place in places.values()} == {"train"}


def test_fractions_hold_for_many_patients():
    counts = Counter(place.split for place in placed(labelled(1000)).values())
    assert counts["test"] == pytest.approx(250, abs=45)  # three standard deviations are 41
    assert counts["val"] == pytest.approx(150, abs=37)


def test_folds_are_about_alike_for_many_patients():
    places = placed(labelled(1000), folds=5, test_fraction=0)
    counts = Counter(place.fold for place in places.values())
    assert all(count == pytest.approx(200, abs=40) for count in counts.values())


def test_the_test_cases_do_not_depend_on_the_folds():
    one, five = placed(labelled(100)), placed(labelled(100), folds=5)
    assert [name for name in one if one[name].split == "test"] == [name for name in five if five[name].split == "test"]


def test_seeds_differ_and_repeat():
    assert placed(labelled(50), by_seed=1) == placed(labelled(50), by_seed=1)
    assert placed(labelled(50), by_seed=1) != placed(labelled(50), by_seed=2)


def test_the_hash_is_the_same_everywhere():
    # printf '1\0test\0p1' | sha256sum | cut -c 1-12
    assert hash_fraction(1, "test", "p1") == 0x2C22627879F7 / 2**48
    assert 0 <= hash_fraction(1, "validation", "p1") < 1


def test_all_cases_of_a_patient_follow_the_one_that_names_a_split():
    cases = labelled(20, per_patient=2)
    cases[0] = dataclasses.replace(cases[0], split="test")
    assert placed(cases)[cases[1].case].split == "test"


def test_a_case_named_for_validation_validates_every_fold():
    cases = labelled(20)
    cases[3] = dataclasses.replace(cases[3], split="val")
    places = placed(cases, folds=3)
    for fold in range(3):
        training, validation = fold_cases(places, fold)
        assert "c3" in validation
        assert "c3" not in training


def test_a_study_without_labels_is_predicted_and_cannot_train():
    places = placed([Case("a", "a.nii"), Case("b", "b.nii")])
    assert set(places.values()) == {Assignment("predict")}
    with pytest.raises(InputError, match="no model can be trained"):
        fold_cases(places, 0)


def test_too_few_patients_are_told():
    with pytest.raises(InputError, match="no case is left for validation in fold 0"):
        fold_cases(placed(labelled(1)), 0)
    places = placed(labelled(2), folds=3)
    empty = {place.fold for place in places.values()} ^ set(range(3))
    with pytest.raises(InputError, match="no case is left for validation in fold"):
        fold_cases(places, empty.pop())


def test_strata_are_spread_evenly_over_the_folds():
    cases = [
        dataclasses.replace(case, stratum="with" if place % 3 else "without") for place, case in enumerate(labelled(31))
    ]
    places = placed(cases, folds=5, test_fraction=0)
    counts = Counter((places[case.case].fold, case.stratum) for case in cases)
    for stratum in ("with", "without"):
        shares = [counts[fold, stratum] for fold in range(5)]
        assert max(shares) - min(shares) <= 1
    assert placed(cases[::-1], folds=5, test_fraction=0) == places
