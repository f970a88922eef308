"""Assignment of cases to training, validation and test.

Patients are drawn, not cases, so all scans of a patient are in the same split. A patient's place depends only on a hash
of the seed and the patient's name in the data, so adding or removing a case moves no other case, and pseudonyms and
their key move none. There are two exceptions. A group that
would be empty, as happens with few patients, takes the next patient in the order of the hash, and then another patient
can change the order. If the table names strata, patients are dealt evenly to the folds, one stratum after the other,
and a new patient can move others of its stratum and of later strata.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctseg.errors import ConfigError
from ctseg.study.cases import Case

SMALLEST_STUDY = 3  # fewest patients with one for each of training, validation and test


@dataclass(frozen=True)
class Assignment:
    """Place of a case: `split` is train, val, test or predict; `fold`, counted from 0, is the fold that it validates.

    `fold` is None with one fold, and for cases that validate no fold or every fold.
    """

    split: str
    fold: int | None = None


def hash_fraction(seed: int, purpose: str, patient: str) -> float:
    """Pseudorandom number in [0, 1), the same on every machine: 48 bits of SHA-256."""
    digest = hashlib.sha256(f"{seed}\0{purpose}\0{patient}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def assign_splits(cases: Sequence[Case], split_config: dict[str, Any]) -> dict[str, Assignment]:
    """Place of each case, by name; `split_config` is the config's section `split`.

    * A given split of a case has priority, and the other labelled cases of its patient follow it.
    * A case without a label, or with the split predict, is only predicted.
    * Cases with a given fold keep it unless they are drawn for testing; with one fold, those of fold 0 validate.
    * Of the other patients, those with a hash below `test_fraction` are tested. With one fold, the remaining patients
      with a second hash below `validation_fraction` validate and the others train; with more folds, the second hash
      determines the fold of each patient, within strata if the table names them.
    """
    labelled = [case for case in cases if case.label and case.split != "predict"]
    named = {case.drawn_by: case.split for case in labelled if case.split}
    strata = {case.drawn_by: case.stratum for case in labelled if case.stratum}
    given = {case.drawn_by: int(case.given_fold) for case in labelled if case.given_fold}
    _require_folds(given, split_config["folds"])
    places = _draw({case.drawn_by for case in labelled}, named, strata, given, split_config)
    in_use = {case.case for case in labelled}
    return {case.case: places[case.drawn_by] if case.case in in_use else Assignment("predict") for case in cases}


def without_training(cases: Sequence[Case]) -> dict[str, Assignment]:
    """Places of the cases if no network is trained: test with a label, else predict.

    Cases with another given split than test are not measured: the model may have learnt from them.
    """
    measured = {case.case for case in cases if case.label and case.split in (None, "test")}
    return {case.case: Assignment("test" if case.case in measured else "predict") for case in cases}


def fold_cases(assignments: dict[str, Assignment], fold: int) -> tuple[list[str], list[str]]:
    """Names of the training cases and of the validation cases of `fold`, counted from 0; each list is sorted.

    A case of the split `val` validates every fold. Raises ConfigError if either list would be empty.
    """
    places = sorted(assignments.items())
    training = [name for name, place in places if place.split == "train" and place.fold != fold]
    validation = [
        name for name, place in places if place.split == "val" or (place.split == "train" and place.fold == fold)
    ]
    if not training and not validation:
        raise ConfigError(
            "no case has a label and is not held out for testing, so no model can be trained; "
            "to segment with an existing model, give it: --config model=PATH/model.onnx"
        )
    if not training or not validation:
        missing = "validation" if training else "training"
        raise ConfigError(
            f"no case is left for {missing} in fold {fold}: it takes at least as many patients with labels as folds, "
            "and two with one fold; add cases, lower split.folds, or change the fractions or the splits in the table"
        )
    return training, validation


def _draw(
    patients: set[str], named: dict[str, str], strata: dict[str, str], given: dict[str, int], config: dict[str, Any]
) -> dict[str, Assignment]:
    """Place of every patient.

    By patient, `named` has the given splits, `strata` the named strata, and `given` the validation folds that the data
    set defines, -1 for a patient that validates no fold.
    """
    groups = {
        split: {patient for patient in patients if named.get(patient) == split} for split in ("train", "val", "test")
    }
    free = patients - groups["train"] - groups["val"] - groups["test"]
    groups["test"] |= _draw_test(free, groups, config)
    free -= groups["test"]
    if config["folds"] > 1:
        training = free | groups["train"]
        folds = _draw_folds(training - given.keys(), strata, config)
        kept = {patient: fold for patient, fold in given.items() if patient in training}
        folds |= {patient: Assignment("train", None if fold < 0 else fold) for patient, fold in kept.items()}
        return folds | {patient: Assignment(split) for split in ("val", "test") for patient in groups[split]}
    if given:
        groups["val"] |= {patient for patient in free if given.get(patient) == 0}
    else:
        groups["val"] |= _draw_validation(free, groups, config)
    groups["train"] |= free - groups["val"]
    return {patient: Assignment(split) for split, members in groups.items() for patient in members}


def _require_folds(given: dict[str, int], folds: int) -> None:
    """Raise ConfigError if the data set defines another number of folds than the config and the config has several."""
    count = max(given.values(), default=-1) + 1
    if count and folds not in (1, count):
        raise ConfigError(
            f"split.folds: {folds} does not fit the data set, whose splits_final.json has {count}; set it to {count}, "
            "or to 1 for its first fold, or remove the file to have folds drawn"
        )


def _draw_test(free: set[str], groups: dict[str, set[str]], config: dict[str, Any]) -> set[str]:
    """Patients with a hash below the test fraction; as many are left as training and validation need."""
    if config["folds"] > 1:
        needed = max(0, config["folds"] - len(groups["train"]))
    else:
        needed = (not groups["train"]) + (config["validation_fraction"] > 0 and not groups["val"])
    patients = len(free) + sum(map(len, groups.values()))
    wanted = config["test_fraction"] > 0 and not groups["test"] and patients >= SMALLEST_STUDY
    return _lowest(free, config, "test", config["test_fraction"], int(wanted), len(free) - needed)


def _draw_validation(free: set[str], groups: dict[str, set[str]], config: dict[str, Any]) -> set[str]:
    """Patients with a hash below the validation fraction: at least one, and not all if no other patient trains."""
    wanted = config["validation_fraction"] > 0 and not groups["val"]
    most = len(free) if groups["train"] else len(free) - 1
    return _lowest(free, config, "validation", config["validation_fraction"], int(wanted), most)


def _lowest(free: set[str], config: dict[str, Any], purpose: str, fraction: float, least: int, most: int) -> set[str]:
    """Patients with a hash below `fraction`, with more or fewer in the order of the hash to have `least` to `most`."""
    hashes = sorted((hash_fraction(config["by_seed"], purpose, patient), patient) for patient in free)
    count = sum(value < fraction for value, _ in hashes)
    return {patient for _, patient in hashes[: max(0, min(max(count, least), most))]}


def _draw_folds(patients: set[str], strata: dict[str, str], config: dict[str, Any]) -> dict[str, Assignment]:
    """Fold of each patient by hash, or evenly by stratum; an empty fold takes the first patient of the largest fold."""
    members: list[list[str]] = [[] for _ in range(config["folds"])]
    hashes = sorted((hash_fraction(config["by_seed"], "validation", patient), patient) for patient in patients)
    if strata:
        # Dealing continues from stratum to stratum, so the sizes of the folds also differ by at most one.
        dealt = sorted(hashes, key=lambda drawn: strata.get(drawn[1], ""))
        for place, (_, patient) in enumerate(dealt):
            members[place % len(members)].append(patient)
    else:
        for value, patient in hashes:
            members[int(value * len(members))].append(patient)
    for group in members:
        largest = max(members, key=len)
        if not group and len(largest) > 1:
            group.append(largest.pop(0))
    return {patient: Assignment("train", fold) for fold, group in enumerate(members) for patient in group}
