"""Whole workflow on a small phantom study, through the real snakemake."""

import hashlib
import json
import re
import shutil

import nibabel as nib
import numpy as np
import onnx
import pandas as pd
import pytest
import SimpleITK as sitk
from scipy import ndimage, stats

from ctseg.evaluation.summary import read_tables
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.phantom.cases import phantom_case
from ctseg.report.html import number
from ctseg.scans.nifti import read_nifti
from html_tables import Cells
from studies import TINY, copy_checkout, hashes, merged, planned, planned_jobs, snakemake

pytestmark = pytest.mark.timeout(400)

# The small study, with a comparison of inference variants.
STUDY = merged(TINY, {"infer": {"compare_cases": 1}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the finished small study."""
    folder = tmp_path_factory.mktemp("study")
    run = snakemake(folder, STUDY, "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """Results folder of the small study."""
    return folder / "results" / "tiny"


@pytest.mark.slow
def test_touch_keeps_a_study_that_an_earlier_version_finished(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "study", symlinks=True)
    (tmp_path / "newer").mkdir()
    newer = copy_checkout(tmp_path / "newer")
    code = newer / "workflow_scripts/ctseg/training/trainer.py"
    code.write_text(code.read_text().replace("    def run(", "    changed = True\n\n    def run("))
    before = hashes(tmp_path / "study")
    assert "train" in planned_jobs(tmp_path / "study", STUDY, checkout=newer)
    touched = snakemake(tmp_path / "study", STUDY, "--touch", checkout=newer)
    assert touched.returncode == 0, touched.stdout
    assert planned_jobs(tmp_path / "study", STUDY, checkout=newer) == {}
    assert hashes(tmp_path / "study") == before


def segmented(results):
    """Names of the segmented cases."""
    return sorted(path.name.removesuffix(".nii.gz") for path in (results / "segmentations").glob("*.nii.gz"))


def test_the_model_names_what_it_was_made_from(results):
    provenance = (results / "model/provenance.json").read_bytes()
    metadata = {entry.key: entry.value for entry in onnx.load(results / "model/model.onnx").metadata_props}
    assert json.loads(metadata["ctseg"])["provenance"] == hashlib.sha256(provenance).hexdigest()
    jobs = json.loads(provenance)["jobs"]
    assert {"make_phantom", "convert_image", "plan", "preprocess", "train", "tune"} <= {job["rule"] for job in jobs}
    assert not {"machine", "started"} & {key for job in jobs for key in job}


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
        "metrics/froc.tsv",
        "metrics/lesions.tsv",
        "metrics/lesion_summary.tsv",
        "metrics/strata.tsv",
        "metrics/reliability.tsv",
        "cohort.tsv",
        "segmentations.tsv",
        "components.tsv",
        "passed_over.tsv",
        "refused.tsv",
        "model/card.json",
        "model/provenance.json",
        "provenance/manifest.json",
        "figures/training.svg",
        "figures/cohort.svg",
        "figures/dice.svg",
        "figures/volumes.svg",
        "figures/froc.svg",
        "figures/calibration.svg",
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


def test_every_number_of_the_report_is_that_of_the_table(results):
    page = Cells()
    page.feed((results / "report.html").read_text(encoding="utf-8"))
    for name, keys in (("cases", ["case", "label"]), ("summary", ["split", "label", "group", "metric"])):
        table = read_tables([results / "metrics" / f"{name}.tsv"])
        (found,) = (rows for rows in page.tables if {*keys, "dice" if name == "cases" else "mean"} <= set(rows[0]))
        assert len(found) == len(table)
        truth = table.set_index(keys)
        for row in found:
            for column in set(row) - set(keys):
                assert row[column] == number(truth.loc[tuple(row[key] for key in keys), column]), (row, column)


def matched(label, found, smallest_iou=0.1):
    """Numbers of lesions, found lesions and false lesions of two masks, by matching the best overlap first."""
    touching = np.ones((3, 3, 3))
    (lesions, n_lesions), (parts, n_parts) = (ndimage.label(mask, touching) for mask in (label, found))
    overlaps = {}
    for lesion, part in set(zip(lesions[label & found].tolist(), parts[label & found].tolist(), strict=True)):
        of_lesion, of_part = lesions == lesion, parts == part
        overlaps[lesion, part] = (of_lesion & of_part).sum() / (of_lesion | of_part).sum()
    hits = set()
    for lesion, part in sorted(overlaps, key=overlaps.get, reverse=True):
        free = all(lesion != one and part != other for one, other in hits)
        if free and overlaps[lesion, part] >= smallest_iou:
            hits.add((lesion, part))
    return n_lesions, len(hits), n_parts - len(hits)


def test_the_report_leads_to_its_cases_at_full_resolution(results):
    pages = re.findall(r'href="(viewer/[^"]+)"', (results / "report.html").read_text(encoding="utf-8"))
    assert pages
    assert {f"viewer/{path.name}" for path in (results / "viewer").glob("*.html")} == set(pages)


def test_the_lesions_of_the_report_are_those_of_the_masks(results):
    cases = pd.read_csv(results / "metrics/cases.tsv", sep="\t")
    counts = {}
    for case in cases["case"]:
        masks = [read_nifti(results / kind / f"{case}.nii.gz").voxels_zyx > 0 for kind in ("labels", "segmentations")]
        counts[case] = matched(*masks)
    lesions = pd.read_csv(results / "metrics/lesions.tsv", sep="\t")
    for case, (there, hits, false) in counts.items():
        states = lesions.loc[lesions["case"] == case, "state"].tolist()
        assert (states.count("found"), states.count("missed"), states.count("false")) == (hits, there - hits, false)
    summary = pd.read_csv(results / "metrics/lesion_summary.tsv", sep="\t")
    page = Cells()
    text = (results / "report.html").read_text(encoding="utf-8")
    page.feed(text)
    (shown,) = (rows for rows in page.tables if "diameter" in rows[0])
    for split, scans in cases.groupby("split"):
        there, hits, false = np.sum([counts[case] for case in scans["case"]], axis=0)
        of_split = summary[summary["split"] == split]
        row = of_split.set_index("diameter").loc["all"]
        assert (row["lesions"], row["found"], row["false"]) == (there, hits, false)
        assert of_split.loc[of_split["diameter"] != "all", "lesions"].sum() == there
        (told,) = (cells for cells in shown if (cells["split"], cells["diameter"]) == (split, "all"))
        assert [told["lesions"], told["found"], told["false"]] == [number(int(n)) for n in (there, hits, false)]
        if len(scans) > 1:  # a single patient has no interval
            exact = stats.binomtest(int(hits), int(there)).proportion_ci(0.95, "exact")
            assert row["sensitivity_low"] <= exact.low + 1e-4
            assert row["sensitivity_high"] >= exact.high - 1e-4
    test = [counts[case] for case in cases.loc[cases["split"] == "test", "case"]]
    there, hits, _ = np.sum(test, axis=0)
    assert f"<dd>{hits} of {there}</dd>" in text


def test_the_froc_never_folds_back_and_holds_the_segmentation(results):
    curve = pd.read_csv(results / "metrics/froc.tsv", sep="\t")
    threshold = json.loads((results / "model/postprocess.json").read_text())["threshold"]["value"]
    cases = pd.read_csv(results / "metrics/cases.tsv", sep="\t").groupby("split")
    for split, rows in curve.groupby("split"):
        ordered = rows.sort_values("threshold")
        for name in ("found_lesions", "false_lesions"):
            assert ordered[name].is_monotonic_decreasing
            at_own = ordered.loc[np.isclose(ordered["threshold"], threshold), name].item()
            assert at_own == cases.get_group(split)[name].sum()


def test_the_interval_of_the_dice_is_students_and_a_little_more(results):
    cases, summary = (pd.read_csv(results / f"metrics/{name}.tsv", sep="\t") for name in ("cases", "summary"))
    for row in summary[summary["metric"] == "dice"].itertuples():
        values = cases.loc[cases["split"] == row.split, "dice"].dropna()
        if len(values) > 1 and values.std() > 0:
            exact = stats.ttest_1samp(values, 0).confidence_interval(0.95)
            assert row.mean_low <= max(exact.low, 0) + 1e-3
            assert row.mean_high >= min(exact.high, 1) - 1e-3


def test_the_calibration_of_a_case_is_that_of_its_maps(results):
    cases = pd.read_csv(results / "metrics" / "cases.tsv", sep="\t").set_index("case")
    for case in segmented(results):
        probability = read_nifti(results / "predictions" / "probability" / f"{case}.nii.gz").voxels_zyx / 255
        truth = read_nifti(results / "labels" / f"{case}.nii.gz").voxels_zyx > 0
        # All wrong voxels are in the evaluated box, and no other voxel adds to the error.
        bins = pd.read_csv(results / "metrics" / "reliability" / f"{case}.tsv", sep="\t")
        error = ((probability - truth) ** 2).sum()
        assert error == pytest.approx(bins["sum_squared_error"].sum(), abs=0.01)
        assert cases.loc[case, "brier"] == pytest.approx(error / bins["voxels"].sum(), abs=1e-4)


def test_how_far_a_case_moves_with_the_grid_is_that_of_its_own_table(results):
    cases = pd.read_csv(results / "metrics" / "cases.tsv", sep="\t").set_index("case")
    for case, row in cases.iterrows():
        (own,) = pd.read_csv(results / "metrics" / "stability" / f"{case}.tsv", sep="\t").to_dict("records")
        assert own["volume_cm3"] == pytest.approx(row["predicted_volume_cm3"], abs=1e-4)
        assert row["stability_dice"] == pytest.approx(own["smallest_dice"], nan_ok=True)
        assert row["stability_volume_percent"] == pytest.approx(own["volume_range_percent"], nan_ok=True)


def test_a_study_is_compared_with_another(folder, results):
    run = snakemake(folder, STUDY, "--", "compare")
    assert run.returncode != 0
    assert "compare_with=NAME" in run.stdout
    run = snakemake(folder, STUDY | {"compare_with": "other"}, "--", "compare")
    assert run.returncode != 0
    assert "results/other/metrics/cases.tsv does not exist; run that study" in run.stdout
    other = folder / "results" / "other" / "metrics" / "cases.tsv"
    other.parent.mkdir(parents=True)
    cases = pd.read_csv(results / "metrics" / "cases.tsv", sep="\t")
    cases.assign(dice=cases["dice"] - 0.001).to_csv(other, sep="\t", index=False)
    run = snakemake(folder, STUDY | {"compare_with": "other"}, "--", "compare")
    assert run.returncode == 0, run.stdout
    table = pd.read_csv(results / "comparison" / "other.tsv", sep="\t").set_index(["split", "metric"])
    assert table.loc[("test", "dice"), "difference"] == pytest.approx(0.001, abs=1e-6)
    assert table.loc[("test", "iou"), "difference"] == 0
    assert "<svg" in (results / "comparison" / "other.svg").read_text()


def test_snakemakes_own_report_has_captions_and_categories(folder):
    run = snakemake(folder, STUDY, "--report", folder / "own.html")
    assert run.returncode == 0, run.stdout
    page = (folder / "own.html").read_text()
    for words in ("Learning curves", "Calibration", "Summary", "Voxels and lengths", "seen from the feet"):
        assert words in page, words


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
            # Case names are no identity here, so only complete names are compared.
            assert not [text for text in planted if text in data], path


def test_a_second_run_has_nothing_to_do(folder):
    assert planned(folder, STUDY) == set()


SHIPPED = {"compare_variants", "choose_variant", "export_model"}
TUNED = {"tune", "trace_model"} | SHIPPED
TRAINED = {"train", "plot_training", "tabulate_training", "export_fold", "validate", "quantize"} | TUNED
REPORTED = {"report", "manifest"}
MEASURED = {"measure", "measure_probabilities", "tabulate_metrics", "tabulate_strata", "plot_metrics", "view_cases"}
MEASURED |= REPORTED
AFTER_THE_MODEL = {"infer", "postprocess", "measure_stability", "tabulate_segmentations", "plot_case"} | MEASURED


# Some rows of docs/reruns.md; a slow test checks all of them.
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": 1, "resources": {"memory_factor": 2.0}, "keep": "minimal"}, set()),
        ({"postprocess": {"min_volume_mm3": 20}}, {"validate"} | TUNED | AFTER_THE_MODEL),
        ({"measure": {"baseline_thresholds_hu": [0]}}, MEASURED - {"measure_probabilities"}),
        ({"report": {"pictures": 2}}, REPORTED),
        ({"infer": {"overlap": 0.25}}, SHIPPED | AFTER_THE_MODEL),
        ({"export_model": {"parity_tolerance": 0.01}}, {"export_model"} | AFTER_THE_MODEL),
        ({"train": {"learning_rate": 0.001}}, TRAINED | AFTER_THE_MODEL),
    ],
    ids=["nothing", "postprocess", "baseline", "pictures", "overlap", "export", "train"],
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
