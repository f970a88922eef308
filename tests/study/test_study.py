"""Queries of the rules to a study: cases of each step, and files of the user."""

import pytest

from ctseg.errors import InputError
from ctseg.study.cases import Case
from ctseg.study.splits import Assignment
from ctseg.study.study import CALIBRATION_CASES, Study
from many_cases import DEFAULTS, study
from places import ROOT
from studies import merged


def test_cases_go_where_their_split_and_the_config_say():
    many = study(infer={"splits": ["test", "predict"]})
    assert many.to_train == ["a", "b", "e"]
    assert many.to_segment == ["c", "d"]
    assert many.to_measure == ["c"]
    assert many.to_report == ["a", "b", "c", "d", "e"]
    assert many.with_label == list(many.labels) == ["a", "b", "c", "e"]
    assert list(study(infer={"splits": ["predict"]}).labels) == ["a", "b", "c", "e"]
    assert study(infer={"splits": ["test"]}).to_report == ["a", "b", "c", "e"]


def test_a_case_that_is_to_be_predicted_is_not_measured_though_it_has_a_label():
    labelled = Case("d", "d/dicom", "d.nii.gz", patient="three", split="predict")
    given = study(infer={"splits": ["test", "predict"]})
    more = Study(given.config, {**given.cases, "d": labelled}, given.places)
    assert (more.to_segment, more.to_measure, more.with_label) == (["c", "d"], ["c"], ["a", "b", "c", "e"])


def test_dicom_is_written_of_series_and_where_it_is_wanted():
    assert study(infer={"dicom": True, "splits": ["train", "predict"]}).to_write == ["a", "d"]
    assert study(infer={"dicom": False}).to_write == []


def test_folds_and_networks():
    many = study(train={"repeats": 2})
    assert many.folds == {0: (["b"], ["a", "e"]), 1: (["a"], ["b", "e"])}
    assert many.members == {"0": (0, 0), "1": (1, 0), "0-repeat2": (0, 1), "1-repeat2": (1, 1)}
    assert many.members_of(1) == ["1", "1-repeat2"]
    assert many.trained_on("1-repeat2") == {"fold": 1, "repeat": 1, "training": ["a"], "validation": ["b", "e"]}
    assert many.out_of_fold == {"a": 0, "b": 1, "e": 0}
    assert study(infer={"compare_cases": 2}).compared == ["a", "b"]


def test_cases_to_calibrate_on_were_trained_on_and_are_few():
    assert study().calibration_cases("model") == ["a", "b", "e"]
    assert study().calibration_cases("folds/0") == ["b"]
    names = [f"c{number:02d}" for number in range(20)]
    places = dict.fromkeys(names, Assignment("train"))
    large = Study(DEFAULTS, {name: Case(name, "image.nii", "label.nii") for name in names}, places)
    assert len(large.calibration_cases("model")) == CALIBRATION_CASES


def test_a_given_model_is_not_trained(tmp_path):
    given = study(model=str(tmp_path / "model.onnx"))
    assert (given.trains, given.folds, given.members) == (False, {}, {})
    assert given.torchscript is None
    (tmp_path / "model.ts").touch()
    assert study(model=str(tmp_path / "model.onnx")).torchscript == str(tmp_path / "model.ts")
    assert study().torchscript is None


@pytest.mark.parametrize(
    ("wanted", "model", "expected"),
    [("auto", None, False), ("auto", "m.onnx", True), ("go_on", None, True), ("stop", "m.onnx", False)],
)
def test_whether_a_study_goes_on_without_refused_cases(wanted, model, expected):
    assert study(cases={"on_refusal": wanted}, model=model).goes_on is expected


def test_tables_name_cases_by_split_fold_patient_and_group():
    many = study(measure={"groups": ["site"]})
    assert many.row("b") == {"case": "b", "split": "train", "fold": 1}
    assert many.patients(["d", "a", "b"]) == {"d": 0, "a": 1, "b": 1}
    assert many.cohort_rows(["c", "a"])["a"] == {"split": "train", "fold": 0, "patient": 1}
    assert many.groups(["a", "b", "c"]) == {"site": {"b": "X", "c": "Y"}}


def test_what_only_some_cases_have():
    many = study()
    assert many.with_reference == {"a": "a/seg.dcm"}  # a table or a NIfTI file names no series
    assert many.lungs == {"b": "b_lungs.nii"}
    assert many.series == {"c": {"series_uid": "1.2.3"}}


def test_a_study_is_read_from_its_config(tmp_path):
    schema = ROOT / "rules/schemas/cases.schema.yaml"
    config = merged(DEFAULTS, {"cases": {"phantom": {"patients": 5}, "exclude": ["phantom-001"]}})
    read = Study.read(config, tmp_path, schema)
    assert list(read.cases) == ["phantom-000", "phantom-002", "phantom-003", "phantom-004"]
    assert read.excluded == ["phantom-001"]
    assert read.results == "results/phantom"
    assert set(read.to_train) | set(read.in_split("test")) == set(read.cases)
    for useless in ({"infer": {"splits": ["predict"]}}, {"split": {"folds": 2, "test_fraction": 0}}):
        with pytest.raises(InputError, match=r"nothing to measure; .* raise split.test_fraction"):
            Study.read(merged(config, useless), tmp_path, schema)
