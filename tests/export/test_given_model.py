"""Segmentation with a given model through the real snakemake, without training."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from ball_model import balls
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti, write_nifti
from dicom_files import REFERABLE, write_series
from places import ROOT
from studies import merged, planned_jobs, snakemake

pytestmark = pytest.mark.timeout(300)
GRID = Grid((40, 40, 40), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
RESULTS = "results/predict"


@pytest.fixture(scope="module")
def study(tmp_path_factory, model_folder):
    """Folder with three scans, config of the study that segments them, and its first run."""
    folder = tmp_path_factory.mktemp("given")
    for seed in (100, 101, 102):
        hu, mask = balls(seed)
        hu[:2] = -1000
        case = folder / "data" / f"case-{seed}"
        write_nifti(Volume(hu, GRID), case / "image.nii.gz")
        write_nifti(Volume(mask.astype(np.uint8), GRID), case / "label.nii.gz")
    changes = {
        "cases": {"image": "data/{case}/image.nii.gz"},
        "target": {"region": "body"},
        "infer": {"cases_per_job": 3},
        "resources": {"threads": 2},
    }
    config = merged(yaml.safe_load((ROOT / "studies/predict.yaml").read_text()), changes)
    config["model"] = str(model_folder / "model.onnx")
    run = snakemake(folder, config)
    assert run.returncode == 0, run.stdout
    return folder, config


def test_nothing_is_trained_and_a_second_run_has_nothing_to_do(study):
    folder, config = study
    assert planned_jobs(folder, config) == {}
    rules = {path.name for path in (folder / RESULTS / "logs").iterdir()}
    assert not rules & {"plan", "preprocess", "train", "tune", "measure"}
    assert {"adopt_model", "infer", "postprocess", "report"} <= rules


def test_cases_shared_a_process_and_need_not_do_so_again(study):
    folder, config = study
    logs = [path.read_text() for path in (folder / RESULTS / "logs" / "infer").iterdir()]
    assert len(logs) == 3
    assert all("OpenVINO" in log and "without a shared process" not in log for log in logs)
    assert "infer" not in planned_jobs(folder, merged(config, {"infer": {"cases_per_job": 1}}))


def test_scans_are_segmented_as_the_command_does(study, model_folder):
    folder, _ = study
    engine = load_engine(model_folder / "model.onnx", 2)
    for case in ("case-100", "case-102"):
        expected = predict(read_nifti(folder / RESULTS / "images" / f"{case}.nii.gz"), engine).segmentation
        found = read_nifti(folder / RESULTS / "segmentations" / f"{case}.nii.gz")
        np.testing.assert_array_equal(found.voxels_zyx, expected.voxels_zyx)


def test_findings_and_flags_stand_in_tables(study):
    folder, _ = study
    scans = pd.read_csv(folder / RESULTS / "segmentations.tsv", sep="\t", keep_default_na=False)
    components = pd.read_csv(folder / RESULTS / "components.tsv", sep="\t")
    assert scans["case"].tolist() == ["case-100", "case-101", "case-102"]
    assert (scans["components"] > 0).all()
    sums = components.groupby("case")["volume_cm3"].sum()
    np.testing.assert_allclose(scans["ball_cm3"], sums.loc[scans["case"]], atol=1e-3)
    assert components["mean_entropy_bits"].between(0, 1).all()


def test_the_report_tells_what_was_not_measured(study):
    folder, _ = study
    page = (folder / RESULTS / "report.html").read_text()
    assert "None of them has a label" in page
    assert 'href="#training"' not in page
    assert 'id="results"' not in page
    assert 'id="case-case-101"' in page


@pytest.mark.slow
def test_labelled_cases_test_the_model(study):
    folder, config = study
    labelled = merged(config, {"study": "external", "cases": {"label": "data/{case}/label.nii.gz"}})
    run = snakemake(folder, labelled, "--", "adopt_model")
    assert run.returncode != 0
    assert "the model segments ball, but target.labels are target" in run.stdout
    run = snakemake(folder, labelled | {"target": {"labels": {"ball": 1}, "region": "body"}}, "--", "tabulate_metrics")
    assert run.returncode == 0, run.stdout
    cases = pd.read_csv(folder / "results/external/metrics/cases.tsv", sep="\t")
    assert cases["split"].tolist() == ["test"] * 3
    assert (cases["dice"] > 0.8).all()


def test_a_file_that_is_no_model_is_told_in_words(study):
    folder, config = study
    (folder / "other.onnx").write_bytes(b"no model")
    run = snakemake(folder, config | {"study": "wrong", "model": "other.onnx"}, "--", "adopt_model")
    assert run.returncode != 0
    assert "other.onnx is not an ONNX model" in run.stdout
    assert "Traceback" not in run.stdout
    run = snakemake(folder, config | {"model": "missing.onnx"}, "--dry-run")
    assert '"missing.onnx" is not a file' in run.stdout


def test_the_card_of_the_study_is_the_models(study):
    folder, _ = study
    card = json.loads((folder / RESULTS / "model" / "card.json").read_text())
    assert card["labels"] == ["ball"]


def test_dicom_objects_are_written_for_the_scans_that_came_as_dicom(study, tmp_path):
    folder, config = study
    write_series(tmp_path / "ct", read_nifti(folder / "data/case-100/image.nii.gz").voxels_zyx, GRID, **REFERABLE)
    table = f"case\timage\nseries\t{tmp_path / 'ct'}\nfile\t{folder / 'data/case-101/image.nii.gz'}\n"
    (tmp_path / "cases.tsv").write_text(table)
    changes = {"cases": {"source": "table", "table": "cases.tsv", "image": None}, "infer": {"dicom": True}}
    run = snakemake(tmp_path, merged(config, changes), "--until", "write_dicom")
    assert run.returncode == 0, run.stdout
    objects = sorted((tmp_path / RESULTS / "dicom").rglob("*.dcm"))
    assert [str(path.relative_to(tmp_path / RESULTS / "dicom")) for path in objects] == [
        "series/report.dcm",
        "series/rtstruct.dcm",
        "series/seg.dcm",
    ]
    mask = read_nifti(tmp_path / RESULTS / "segmentations/series.nii.gz")
    found = read_label(objects[2], LabelSettings({"ball": 1}), mask.grid, "series")
    np.testing.assert_array_equal(found.voxels_zyx, mask.voxels_zyx)
