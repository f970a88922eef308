"""Folds and repeats become one model; its threshold is chosen on cases that were not used for training."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from ctseg.inference.engines import OnnxRuntimeEngine
from ctseg.scans.nifti import read_nifti
from studies import TINY, merged, planned, snakemake

pytestmark = pytest.mark.slow

STUDY = merged(
    TINY,
    {
        "cases": {"phantom": {"patients": 5}},
        "split": {"folds": 2, "test_fraction": 0.3},
        "train": {"repeats": 2},
        "postprocess": {"keep_largest": "auto"},
    },
)
MEMBERS = ["0", "1", "0-repeat2", "1-repeat2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    run = snakemake(folder, STUDY)
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return folder / "results" / "tiny"


def test_all_networks_are_one_graph_and_no_two_are_alike(results):
    engine = OnnxRuntimeEngine(results / "model" / "model.onnx", threads=2)
    assert engine.card.n_networks == 4
    weights = [torch.load(results / "folds" / name / "weights.pt", weights_only=True)["network"] for name in MEMBERS]
    first = [next(iter(state.values())).numpy().tobytes() for state in weights]
    assert len(set(first)) == 4


def test_the_spread_of_the_networks_is_told(results):
    table = pd.read_csv(results / "metrics" / "members.tsv", sep="\t", dtype={"network": str}).set_index("network")
    assert set(table.index) == {*MEMBERS, "mean", "sd"}
    dice = table.loc[MEMBERS, "validation_dice"]
    assert table.loc["mean", "validation_dice"] == pytest.approx(dice.mean(), abs=1e-4)
    assert table.loc["sd", "validation_dice"] == pytest.approx(dice.std(), abs=1e-4)


def test_every_training_case_is_predicted_by_networks_that_did_not_see_it(results):
    cases = pd.read_csv(results / "metrics" / "cases.tsv", sep="\t")
    trained = {path.stem for path in (results / "fingerprints").glob("*.json")}
    predicted = {path.stem for path in (results / "out_of_fold").glob("*.tsv")}
    assert predicted == trained
    assert not predicted & set(cases.loc[cases["split"] == "test", "case"])
    for case in predicted:
        classes = read_nifti(results / "out_of_fold" / f"{case}.nii.gz")
        probability = read_nifti(results / "out_of_fold" / "probability" / f"{case}.nii.gz")
        assert classes.grid.matches(read_nifti(results / "images" / f"{case}.nii.gz").grid)
        np.testing.assert_array_equal(classes.voxels_zyx > 0, probability.voxels_zyx > 0)


def test_the_choice_is_the_best_of_what_was_tried_and_stands_in_the_model(results):
    tried = pd.read_csv(results / "model" / "tuning.tsv", sep="\t")
    chosen = json.loads((results / "model" / "postprocess.json").read_text())
    card = OnnxRuntimeEngine(results / "model" / "model.onnx", threads=1).card
    assert card.threshold == chosen["threshold"]["value"]
    assert card.postprocess.min_volume_mm3 == chosen["min_volume_mm3"]["value"]
    assert card.postprocess.keep_largest == chosen["keep_largest"]["value"]
    scores = pd.concat(pd.read_csv(path, sep="\t") for path in (results / "out_of_fold").glob("*.tsv"))
    keys = ["threshold", "min_volume_mm3", "keep_largest"]
    means = scores.groupby(keys)["dice"].mean()
    assert tried["dice"].max() == pytest.approx(means.max(), abs=1e-4)
    taken = means[tuple(chosen[key]["value"] for key in keys)]
    assert taken >= means.max() - 0.0021


def test_weights_to_start_from_are_an_input_of_training(folder, results):
    start = shutil.copy(results / "folds" / "0" / "weights.pt", folder / "start.pt")
    assert "train" in planned(folder, merged(STUDY, {"train": {"init_from": str(start)}}))
