"""The whole workflow on a tiny phantom, through the real snakemake."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from ctseg.engines import load_engine
from ctseg.phantom_cases import phantom_case
from ctseg.predict import predict
from ctseg.volume import read_nifti
from studies import TINY, merged, planned, planned_jobs, snakemake

pytestmark = pytest.mark.timeout(400)

# The tiny study, with its ways to infer compared.
STUDY = merged(TINY, {"infer": {"compare_cases": 1}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the tiny study has run."""
    folder = tmp_path_factory.mktemp("study")
    run = snakemake(folder, STUDY, "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """Where the tiny study's results are."""
    return folder / "results" / "tiny"


def segmented(results):
    """The cases that were segmented."""
    return sorted(path.name.removesuffix(".nii.gz") for path in (results / "segmentations").glob("*.nii.gz"))


def test_every_result_of_the_readme_is_there(results):
    for name in (
        "plan.json",
        "model/model.onnx",
        "model/model.ts",
        "model/parity.json",
        "model/postprocess.json",
        "model/tuning.tsv",
        "model/inference.json",
        "model/variants.tsv",
        "metrics/members.tsv",
        "folds/0/weights.pt",
        "folds/0/history.tsv",
        "metrics/cases.tsv",
        "metrics/summary.tsv",
        "metrics/note.md",
        "figures/training.png",
        "figures/metrics.png",
        "report.html",
    ):
        assert (results / name).stat().st_size > 0, name
    for case in segmented(results):
        for name in (f"segmentations/{case}.tsv", f"figures/cases/{case}.png", f"images/{case}.json"):
            assert (results / name).stat().st_size > 0, name


def test_results_lie_on_the_very_grid_of_the_scan(results):
    assert segmented(results)
    for case in segmented(results):
        image = nib.load(results / "images" / f"{case}.nii.gz")
        for kind in ("segmentations", "predictions", "labels", "lungs"):
            path = results / kind / f"{case}.nii.gz"
            assert nib.load(path).shape == image.shape
            np.testing.assert_allclose(nib.load(path).affine, image.affine, atol=1e-3)
            ours, scan = sitk.ReadImage(str(path)), sitk.ReadImage(str(results / "images" / f"{case}.nii.gz"))
            np.testing.assert_allclose(ours.GetOrigin(), scan.GetOrigin(), atol=1e-3)
            np.testing.assert_allclose(ours.GetDirection(), scan.GetDirection(), atol=1e-5)


def test_the_metrics_table_follows_from_the_masks(results):
    cases = pd.read_csv(results / "metrics" / "cases.tsv", sep="\t")
    assert set(cases["case"]) == set(segmented(results))
    for row in cases.itertuples():
        label, found = (
            read_nifti(results / kind / f"{row.case}.nii.gz").voxels_zyx > 0 for kind in ("labels", "segmentations")
        )
        total = label.sum() + found.sum()
        assert row.dice == pytest.approx(2 * (label & found).sum() / total, abs=1e-4)


def test_the_model_file_and_the_scan_give_the_same_segmentation_as_the_workflow(results):
    engine = load_engine(results / "model" / "model.onnx", threads=2)
    for case in segmented(results):
        prediction = predict(read_nifti(results / "images" / f"{case}.nii.gz"), engine)
        stored = read_nifti(results / "segmentations" / f"{case}.nii.gz")
        np.testing.assert_array_equal(prediction.segmentation.voxels_zyx, stored.voxels_zyx)


def test_no_identity_leaves_the_dicom(results):
    import pydicom

    planted = set()
    for path in (results / "phantom").glob("*/dicom/[!.]*"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        planted |= {str(header.PatientID), str(header.PatientName), header.SeriesInstanceUID, header.StudyInstanceUID}
        planted |= {header.get("PatientBirthDate", ""), header.get("StudyDate", "")}
    planted = {text.encode() for text in planted if len(text) > 4}
    assert len(planted) > 6
    for path in results.rglob("*"):
        if path.is_file() and "phantom" not in path.relative_to(results).parts[0]:
            data = path.read_bytes()
            # A case's own name is no identity here; names are compared in full.
            assert not [text for text in planted if text in data], path


def test_a_second_run_has_nothing_to_do(folder):
    assert planned(folder, STUDY) == set()


SHIPPED = {"compare_variants", "choose_variant", "export_model"}
TRAINED = {"train", "plot_training", "tabulate_training", "export_fold", "validate", "tune", "quantize"} | SHIPPED
AFTER_THE_MODEL = {"infer", "postprocess", "measure", "tabulate_metrics", "plot_metrics", "plot_case", "report"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": 1, "resources": {"memory_factor": 2.0}}, set()),
        ({"postprocess": {"min_volume_mm3": 20}}, {"validate", "tune"} | SHIPPED | AFTER_THE_MODEL),
        (
            {"postprocess": {"threshold": 0.4, "min_volume_mm3": 20, "keep_largest": True}},
            {"tune"} | SHIPPED | AFTER_THE_MODEL,
        ),
        ({"measure": {"baseline_thresholds_hu": [0]}}, {"measure", "tabulate_metrics", "plot_metrics", "report"}),
        ({"infer": {"batch_size": 2}}, {"validate", "tune"} | SHIPPED | AFTER_THE_MODEL),
        ({"infer": {"memory_gib": 1.0}}, SHIPPED | AFTER_THE_MODEL),
        ({"infer": {"overlap": 0.25}}, SHIPPED | AFTER_THE_MODEL),
        ({"infer": {"precision": "int8"}}, {"choose_variant", "export_model", "quantize"} | AFTER_THE_MODEL),
        ({"infer": {"uncertainty": True}}, AFTER_THE_MODEL),
        ({"export_model": {"parity_tolerance": 0.01}}, {"export_model"} | AFTER_THE_MODEL),
        ({"train": {"learning_rate": 0.001}}, TRAINED | AFTER_THE_MODEL),
        ({"augment": {"noise_hu": 5}}, TRAINED | AFTER_THE_MODEL),
        ({"network": {"norm": "instance"}}, TRAINED | AFTER_THE_MODEL),
    ],
    ids=[
        "nothing",
        "postprocess",
        "nothing left to choose",
        "baseline",
        "batches",
        "memory",
        "overlap",
        "precision",
        "uncertainty",
        "export",
        "train",
        "augment",
        "network",
    ],
)
def test_a_changed_key_runs_what_depends_on_it_and_nothing_else(folder, change, expected):
    assert planned(folder, merged(STUDY, change)) == expected


def test_a_new_case_runs_its_own_jobs(folder):
    jobs = planned_jobs(folder, merged(STUDY, {"cases": {"phantom": {"patients": 4}}}))
    own = ["make_phantom", "convert_image", "convert_label", "segment_lungs"]
    assert {rule: jobs[rule] for rule in own} == dict.fromkeys(own, 1)


def test_a_changed_scan_runs_its_case_again(folder, results):
    label = results / "phantom" / phantom_case(1) / "label.nii.gz"
    data = label.read_bytes()
    try:
        volume = nib.load(label)
        voxels = np.asarray(volume.dataobj).copy()
        voxels[0, 0, 0] = 1
        nib.save(nib.Nifti1Image(voxels, volume.affine), label)
        assert "convert_label" in planned(folder, STUDY)
    finally:
        label.write_bytes(data)


def test_the_plan_says_what_was_given_and_why(results):
    plan = json.loads((results / "plan.json").read_text())
    assert plan["spacing_mm"] == {"value": [5, 5, 6], "reason": "given in the config"}
