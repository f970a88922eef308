"""Data sets in the raw layout of nnU-Net."""

import json

import pytest

from archive_trees import make_files, make_nnunet
from ctseg.errors import ConfigError, InputError
from ctseg.study.cases import Case, find_cases
from ctseg.study.splits import Assignment, assign_splits
from places import SCHEMAS

DATA = "nnUNet_raw/Dataset001_Tumour"
SPLIT = {"by_seed": 1, "test_fraction": 0.0, "validation_fraction": 0.2}


def find(root, **labels):
    config = {"source": "nnunet", "folder": DATA, "exclude": [], "corrections": None, "names": "keep"}
    return find_cases(config, root, SCHEMAS / "cases.schema.yaml", "made", labels or {"tumour": 1})


def complaint(root, **labels):
    with pytest.raises(InputError) as caught:
        find(root, **labels)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_training_cases_have_labels_and_the_others_are_predicted(tmp_path, ending):
    make_nnunet(tmp_path / DATA, ending)
    first, *_, last = cases = find(tmp_path)
    assert len(cases) == 6
    assert first == Case(
        "tumour_001", f"{DATA}/imagesTr/tumour_001_0000{ending}", f"{DATA}/labelsTr/tumour_001{ending}"
    )
    assert last == Case("tumour_009", f"{DATA}/imagesTs/tumour_009_0000{ending}", split="predict")


def test_cases_of_imagests_are_tested_where_their_labels_are_there(tmp_path):
    make_nnunet(tmp_path / DATA)
    make_files(tmp_path / DATA, "labelsTs/tumour_009.nii.gz")
    last = find(tmp_path)[-1]
    assert (last.split, last.label) == ("test", f"{DATA}/labelsTs/tumour_009.nii.gz")


def test_cases_that_dataset_json_lists_lie_where_it_says(tmp_path):
    listed = {"a": {"images": ["elsewhere/a.nii.gz"], "label": "elsewhere/a_label.nii.gz"}}
    make_nnunet(tmp_path / DATA, dataset=listed, numTraining=1)
    make_files(tmp_path / DATA, "elsewhere/a.nii.gz", "elsewhere/a_label.nii.gz")
    first = find(tmp_path)[0]
    assert (first.case, first.image) == ("a", f"{DATA}/elsewhere/a.nii.gz")


@pytest.mark.parametrize("place", ["raw", "preprocessed"])
def test_its_folds_are_those_of_the_study(tmp_path, place):
    make_nnunet(tmp_path / DATA, folds=3)
    if place == "preprocessed":
        preprocessed = tmp_path / "nnUNet_preprocessed" / "Dataset001_Tumour"
        preprocessed.mkdir(parents=True)
        (tmp_path / DATA / "splits_final.json").rename(preprocessed / "splits_final.json")
    cases = find(tmp_path)
    places = assign_splits(cases, SPLIT | {"folds": 3})
    assert [places[f"tumour_{number:03d}"] for number in range(1, 6)] == [
        Assignment("train", fold) for fold in (0, 1, 2, 0, 1)
    ]
    one = assign_splits(cases, SPLIT | {"folds": 1})
    assert [one[f"tumour_{number:03d}"].split for number in range(1, 6)] == ["val", "train", "train", "val", "train"]
    tested = assign_splits(cases, SPLIT | {"folds": 3, "test_fraction": 0.4})
    assert 0 < sum(place.split == "test" for place in tested.values()) < 5
    assert all(place in (places[name], Assignment("test")) for name, place in tested.items())
    with pytest.raises(ConfigError, match=r"split\.folds: 5 does not fit .* has 3"):
        assign_splits(cases, SPLIT | {"folds": 5})


def test_a_case_that_validates_in_no_fold_trains_in_all(tmp_path):
    make_nnunet(tmp_path / DATA)
    names = [f"tumour_{number:03d}" for number in range(1, 6)]
    splits = [{"train": names[1:], "val": names[:1]}, {"train": [names[0], *names[2:]], "val": names[1:2]}]
    make_files(tmp_path / DATA, "splits_final.json", text=json.dumps(splits))
    places = assign_splits(find(tmp_path), SPLIT | {"folds": 2})
    assert [places[name].fold for name in names] == [0, 1, None, None, None]
    assert {places[name].split for name in names} == {"train"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channel_names": {"0": "CT", "1": "PET"}}, "has 2 channels (CT, PET)"),
        ({"channel_names": {"0": "T2"}}, "says that the scans are T2"),
        ({"file_ending": ".png"}, "end in .png"),
        ({"labels": {"background": 0, "whole": [1, 2], "core": 2}}, "trains regions of several values (whole)"),
        ({"labels": {"background": 0, "tumour": 1, "ignore": 2}}, "the label ignore"),
        ({"labels": {"background": 0, "tumour": "one"}}, "are no whole numbers"),
        ({"labels": {"background": 0, "liver": 1}}, "tumour: 1 does not match"),
        ({"labels": 5}, "is damaged or no dataset.json of nnU-Net 2"),
        ({"numTraining": 7}, "speaks of 7 training cases, imagesTr holds 5"),
        ({"dataset": {"a": {}}}, "should have images and label"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_to_do(tmp_path, changes, words):
    make_nnunet(tmp_path / DATA, **changes)
    assert words in complaint(tmp_path)


def test_a_second_channel_is_told_by_its_file(tmp_path):
    make_nnunet(tmp_path / DATA)
    make_files(tmp_path / DATA, "imagesTr/tumour_003_0001.nii.gz")
    assert "tumour_003_0001.nii.gz is a second channel" in complaint(tmp_path)


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ("{", "is damaged or no cross-validation"),
        ('[{"train": ["a"]}]', "is damaged or no cross-validation"),
        ('[{"train": ["tumour_001"], "val": ["b"]}]', "names b, which is not in imagesTr"),
        ('[{"train": ["a", "b"], "val": ["b"]}]', "fold 0 leaves out cases"),
        ('[{"train": ["a"], "val": ["b"]}, {"train": ["a"], "val": ["b"]}]', "fold 1 leaves out cases"),
    ],
)
def test_folds_that_cannot_be_kept_are_told(tmp_path, splits, words):
    make_nnunet(tmp_path / DATA)
    make_files(tmp_path / DATA, "splits_final.json", text=splits)
    assert words in complaint(tmp_path)


def test_names_of_cases_may_be_those_of_patients(tmp_path):
    make_nnunet(tmp_path / DATA)
    config = {
        "source": "nnunet",
        "folder": DATA,
        "exclude": [],
        "corrections": None,
        "names": "auto",
        "key_file": "secret.key",
    }
    for part in ("imagesTr", "labelsTr"):
        for path in (tmp_path / DATA / part).glob("tumour_001*"):
            path.rename(path.with_name(path.name.replace("tumour_001", "Mueller^Anna")))
    names = [case.case for case in find_cases(config, tmp_path, SCHEMAS / "cases.schema.yaml", "made", {"tumour": 1})]
    assert not any("Mueller" in name for name in names)
