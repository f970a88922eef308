"""A study as the rules use it: the places of cases, the networks to train on them, and the user's own files.

It is made at every start of the workflow, and by every job, so it imports little, opens no scan, and computes most
lists only once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ctseg.errors import ConfigError
from ctseg.file_types import is_volume_file
from ctseg.study.cases import Case, find_cases
from ctseg.study.corrections import Correction
from ctseg.study.pseudonyms import shown_names
from ctseg.study.splits import Assignment, assign_splits, fold_cases, without_training

CALIBRATION_CASES = 8  # cases on which the ranges of 8-bit integers are measured


@dataclass(frozen=True)
class Study:
    """Cases of a study by name, sorted by name, and the place of each case.

    `config` is the whole checked config, `places` has split and fold of each case, `excluded` are the names of the
    excluded cases as results may show them. Lists of cases contain names, in the order of `cases`.
    """

    config: Mapping[str, Any]
    cases: Mapping[str, Case]
    places: Mapping[str, Assignment]
    excluded: Sequence[str] = ()

    @classmethod
    def read(cls, config: Mapping[str, Any], root: str | Path, schema_path: str | Path) -> "Study":
        """The study of a checked config; paths are relative to `root`, `schema_path` is the schema of a table row.

        Raises ConfigError if a case is invalid, if a fold has no case to train or validate on, or if networks are
        trained and no case can be measured.
        """
        labels, groups = config["target"]["labels"], config["measure"]["groups"]
        section, phantoms = config["cases"], f"results/{config['study']}/phantom"
        cases = find_cases(section, root, schema_path, phantoms, labels, groups)
        names = [case.case for case in cases]
        excluded = shown_names(section["exclude"], names, Path(section["key_file"]).expanduser())
        places = without_training(cases) if config["model"] else assign_splits(cases, config["split"])
        study = cls(config, dict(zip(names, cases, strict=True)), places, excluded)
        if study.trains and study.folds and not study.to_measure:
            raise ConfigError(
                f"no case with a label is in a split of infer.splits ({', '.join(config['infer']['splits'])}), so "
                "there is nothing to measure; add `test` or `val`, raise split.test_fraction, or give the table a "
                "`split` column"
            )
        return study

    @property
    def results(self) -> str:
        """The folder of the results."""
        return f"results/{self.config['study']}"

    @property
    def trains(self) -> bool:
        """Whether networks are trained; otherwise a given model is used."""
        return not self.config["model"]

    @property
    def of_phantoms(self) -> bool:
        """Whether the scans are built-in phantoms and not patients."""
        return self.config["cases"]["source"] == "phantom"

    @property
    def goes_on(self) -> bool:
        """Whether the study continues without refused cases."""
        wanted = self.config["cases"]["on_refusal"]
        return wanted == "go_on" or (wanted == "auto" and not self.trains)

    @property
    def in_lungs(self) -> bool:
        """Whether targets are searched only in the lung field."""
        return self.config["target"]["region"] != "body"

    def in_split(self, *splits: str) -> list[str]:
        """Cases in any of the splits."""
        return [case for case in self.cases if self.places[case].split in splits]

    @cached_property
    def to_train(self) -> list[str]:
        """Cases that any fold trains or validates on."""
        return self.in_split("train", "val")

    @cached_property
    def to_segment(self) -> list[str]:
        """Segmented cases, those of `infer.splits`; with several folds the ensemble trains on every case of `train`."""
        return self.in_split(*self.config["infer"]["splits"])

    @cached_property
    def to_measure(self) -> list[str]:
        """Segmented cases that have a label to compare with; the split predict says that a case is only segmented."""
        cases = [case for case in self.to_segment if self.places[case].split != "predict"]
        return [case for case in cases if self.cases[case].label is not None]

    @cached_property
    def to_write(self) -> list[str]:
        """Segmented cases with a DICOM series as scan if infer.dicom is set: DICOM objects are written for them."""
        wanted = self.to_segment if self.config["infer"]["dicom"] else []
        return [case for case in wanted if not is_volume_file(self.cases[case].image)]

    @cached_property
    def to_report(self) -> list[str]:
        """Cases that are trained on, validated on or segmented."""
        used = {*self.to_train, *self.to_segment}
        return [case for case in self.cases if case in used]

    @cached_property
    def with_label(self) -> list[str]:
        """Cases with a label that is used: trained on, validated on or measured."""
        used = {*self.to_train, *self.to_measure}
        return [case for case in self.cases if case in used]

    @cached_property
    def out_of_fold(self) -> dict[str, int]:
        """Cases that some network is not trained on, with the fold of this network."""
        return {
            case: self.places[case].fold or 0
            for case in self.to_train
            if self.places[case].split == "val" or self.places[case].fold is not None
        }

    @property
    def compared(self) -> list[str]:
        """Cases on which inference settings are compared."""
        return list(self.out_of_fold)[: self.config["infer"]["compare_cases"]]

    @cached_property
    def folds(self) -> dict[int, tuple[list[str], list[str]]]:
        """Training cases and validation cases of each fold, sorted by name; empty if no network is trained.

        Raises ConfigError if either list would be empty.
        """
        places = dict(self.places)
        return {fold: fold_cases(places, fold) for fold in range(self.config["split"]["folds"])} if self.trains else {}

    @cached_property
    def members(self) -> dict[str, tuple[int, int]]:
        """Fold and repeat (from 0) of each member of the ensemble; names are 0, 1, … and 0-repeat2, 1-repeat2, …"""
        return {
            f"{fold}-repeat{repeat + 1}" if repeat else str(fold): (fold, repeat)
            for repeat in range(self.config["train"]["repeats"])
            for fold in self.folds
        }

    def members_of(self, fold: int) -> list[str]:
        """The members of a fold, one for each repeat."""
        return [member for member, place in self.members.items() if place[0] == fold]

    def trained_on(self, member: str) -> dict[str, Any]:
        """Fold, repeat, training and validation cases of a member, as params of the rule train."""
        fold, repeat = self.members[member]
        training, validation = self.folds[fold]
        return {"fold": fold, "repeat": repeat, "training": training, "validation": validation}

    def calibration_cases(self, part: str) -> list[str]:
        """At most `CALIBRATION_CASES` training cases of `folds/<fold>`, or cases of `to_train` for `model`."""
        training = self.to_train if part == "model" else self.folds[int(part.rpartition("/")[2])][0]
        return training[:CALIBRATION_CASES]

    def row(self, case: str) -> dict[str, Any]:
        """Name, split and fold of a case, with the column names of the metric tables."""
        return {"case": case} | self.placed(case)

    def placed(self, case: str) -> dict[str, Any]:
        """Split and fold of a case."""
        return {"split": self.places[case].split, "fold": self.places[case].fold}

    def cohort_rows(self, cases: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Split, fold and patient number of each case, with the column names of the cohort table."""
        return {case: self.placed(case) | {"patient": patient} for case, patient in self.patients(cases).items()}

    def patients(self, cases: Iterable[str]) -> dict[str, int]:
        """Patient number of each case, from 0 in the order of `cases`."""
        numbers: dict[str, int] = {}
        return {case: numbers.setdefault(self.cases[case].patient, len(numbers)) for case in cases}

    def groups(self, cases: Iterable[str]) -> dict[str, dict[str, str]]:
        """For each column of measure.groups the value of each case with a value."""
        of_case = {case: self.cases[case].groups for case in cases}
        return {
            column: {case: values[column] for case, values in of_case.items() if column in values}
            for column in self.config["measure"]["groups"]
        }

    def refers_to_series(self, case: str) -> bool:
        """Whether the label of a case may name the DICOM series that it was drawn on."""
        label = self.cases[case].reference
        unnamed = label is None or is_volume_file(label) or label.lower().endswith(".csv")
        return not unnamed and not is_volume_file(self.cases[case].image)

    @cached_property
    def with_reference(self) -> dict[str, str]:
        """Path of the label of each case, for labels that may name the series in the scan's folder."""
        return {name: str(case.reference) for name, case in self.cases.items() if self.refers_to_series(name)}

    @cached_property
    def corrected(self) -> dict[str, Correction]:
        """Correction of each case with a corrected label."""
        return {name: case.correction for name, case in self.cases.items() if case.correction}

    @cached_property
    def corrections(self) -> dict[str, dict[str, str]]:
        """Author and comment of the correction of each corrected case."""
        return {name: {"by": one.by, "comment": one.comment} for name, one in self.corrected.items()}

    @cached_property
    def replaced_labels(self) -> dict[str, str]:
        """Former label of each corrected case that had a label."""
        return {name: one.replaces for name, one in self.corrected.items() if one.replaces}

    @cached_property
    def edited(self) -> dict[str, str]:
        """Segmentation that was edited, for each corrected case if it was kept."""
        return {name: one.edited for name, one in self.corrected.items() if one.edited}

    @cached_property
    def scans(self) -> dict[str, str]:
        """File or folder of the scan of each case."""
        return {name: case.image for name, case in self.cases.items()}

    @cached_property
    def labels(self) -> dict[str, str]:
        """File or folder of the label of each case with a label."""
        return {name: case.label for name, case in self.cases.items() if case.label}

    @cached_property
    def lungs(self) -> dict[str, str]:
        """Lung field file of each case with a given lung field."""
        return {name: case.lungs for name, case in self.cases.items() if case.lungs}

    @cached_property
    def series(self) -> dict[str, dict[str, str]]:
        """Series UID of each case with a given UID, as params of rules."""
        return {name: {"series_uid": case.series_uid} for name, case in self.cases.items() if case.series_uid}

    @property
    def torchscript(self) -> str | None:
        """The TorchScript file (.ts) in the folder of a given model; None if it is missing or networks are trained."""
        beside = None if self.trains else Path(self.config["model"]).with_suffix(".ts")
        return str(beside) if beside and beside.is_file() else None
