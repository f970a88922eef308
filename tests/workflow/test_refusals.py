"""A rejected case does not affect the others: the study finishes with their tables and report, and names missing cases.

All cases and files, also the rejected and excluded ones, are named after a person; no result may contain the name.
"""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from ball_model import balls
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.jobs.refusals import Refusal, admitted, read_refusal, refused_cases, usable, write_refusal
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.study.pseudonyms import is_pseudonym
from dicom_files import write_series
from identities import MARK, MARK_UID, found_in
from studies import TINY, merged, planned_jobs, snakemake

pytestmark = pytest.mark.timeout(400)
GRID = Grid((40, 40, 40), (2.0, 2.0, 2.0), (0.1, 0.2, 0.3), ((1.0, 0.0, 0.0), (0.0, 0.8, -0.6), (0.0, 0.6, 0.8)))
REFUSAL = Refusal("a", "convert_image", "“<scan>” is cut")
OWN = ["convert_image", "convert_label", "infer", "postprocess", "measure", "measure_probabilities", "plot_case"]
OWN += ["measure_stability"]
TABLES = ["tabulate_cohort", "tabulate_metrics", "tabulate_refusals", "tabulate_segmentations", "plot_cohort"]
TABLES += ["tabulate_strata", "plot_metrics", "view_cases", "report", "manifest"]


def test_a_record_is_read_back_and_nothing_else_is_one(tmp_path):
    write_refusal(REFUSAL, [tmp_path / "image.nii.gz", tmp_path / "deep" / "facts.json"])
    (tmp_path / "other.json").write_text('{"refused": 1}')
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "image.nii.gz").read_bytes()[:20])
    (tmp_path / "plain.nii.gz").write_bytes((tmp_path / "deep/facts.json").read_bytes())
    assert read_refusal(tmp_path / "image.nii.gz") == read_refusal(tmp_path / "deep" / "facts.json") == REFUSAL
    assert json.loads((tmp_path / "deep/facts.json").read_text())["refused by ctseg"]["case"] == "a"
    for name in ("other.json", "empty.tsv", "missing", "deep", "cut.nii.gz", "plain.nii.gz"):
        assert read_refusal(tmp_path / name) is None
    paths = [str(tmp_path / name) for name in ("image.nii.gz", "other.json")]
    assert admitted(paths, "to see") == paths[1:]
    assert refused_cases(paths) == {"a"}
    assert (usable(paths[0]), usable(paths[1]), usable(None)) == (None, paths[1], None)
    with pytest.raises(InputError, match="no case is left to see: all 1 were refused"):
        admitted(paths[:1], "to see")
    assert admitted([], "to see") == []


def write_case(folder, seed):
    """Write a scan as DICOM series, with a label."""
    hu, mask = balls(seed)
    hu[:2] = -1000
    write_series(folder / "ct", hu, GRID)
    for number, path in enumerate(sorted((folder / "ct").iterdir())):
        path.rename(path.with_name(f"{MARK}_{MARK_UID}.{number:02d}"))
    write_nifti(Volume(mask.astype(np.uint8), GRID), folder / f"{MARK}_label.nii.gz")


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


@pytest.fixture(scope="module")
def study(tmp_path_factory, model_folder):
    """Folder, config and run of a study: two valid cases, a cut slice, a label of another grid, an excluded case."""
    folder = tmp_path_factory.mktemp("refusals")
    for seed, letter in enumerate("ABCDE", start=100):
        write_case(folder / "data" / f"{MARK}_{letter}", seed)
    shutil.copytree(folder / "data", folder / "whole")
    cut(sorted((folder / f"data/{MARK}_C/ct").iterdir())[3])
    other = Grid((40, 40, 39), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, GRID.direction)
    write_nifti(Volume(np.ones(other.shape_zyx, np.uint8), other), folder / f"data/{MARK}_D/{MARK}_label.nii.gz")
    config = {
        "study": "some",
        "model": str(model_folder / "model.onnx"),
        "cases": {
            "source": "folder",
            "image": "data/{case}/ct",
            "label": f"data/{{case}}/{MARK}_label.nii.gz",
            "exclude": [f"{MARK}_E"],
        },
        "target": {"labels": {"ball": 1}, "region": "body"},
        "resources": {"threads": 2},
    }
    run = snakemake(folder, config)
    return folder, config, run


def named(folder):
    """Pseudonym of each case, by its letter."""
    pairs = [line.split("\t") for line in (folder / "pseudonyms.tsv").read_text().splitlines()[1:]]
    return {name[-1]: case for case, name in pairs}


def test_the_study_ends_with_the_tables_of_all_others(study):
    folder, _, run = study
    assert run.returncode == 0, run.stdout
    results, names = folder / "results/some", named(folder)
    cohort = pd.read_csv(results / "cohort.tsv", sep="\t")
    assert set(cohort["case"]) == {names[letter] for letter in "ABD"}
    metrics = pd.read_csv(results / "metrics/cases.tsv", sep="\t")
    assert set(metrics["case"]) == {names[letter] for letter in "AB"}
    assert (metrics["dice"] > 0.8).all()
    assert metrics["stability_dice"].between(0.5, 0.9999).all()
    assert metrics["stability_volume_percent"].between(0.001, 50).all()
    scans = pd.read_csv(results / "segmentations.tsv", sep="\t")
    assert set(scans["case"]) == {names[letter] for letter in "ABD"}


def test_what_was_refused_stands_in_a_table_and_in_the_report_and_on_the_terminal(study):
    folder, _, run = study
    names = named(folder)
    refused = pd.read_csv(folder / "results/some/refused.tsv", sep="\t").set_index("case")
    assert set(refused.index) == {names["C"], names["D"]}
    assert refused.loc[names["C"], "refused_by"] == "convert_image"
    assert "is cut" in refused.loc[names["C"], "reason"]
    assert refused.loc[names["D"], "refused_by"] == "convert_label"
    assert "grid" in refused.loc[names["D"], "reason"]
    page = (folder / "results/some/report.html").read_text()
    assert "2 cases refused" in page
    assert "Refused cases" in page
    assert "is cut" in page
    assert f"Excluded in the config: {names['E']}." in page
    assert f'id="case-{names["D"]}"' in page  # a rejected label does not remove the segmentation
    assert f'id="case-{names["C"]}"' not in page
    assert f"ctseg: convert_image {names['C']}: data/{MARK}_C/ct/" in run.stdout  # the user must know the file
    assert "2 of 4 cases refused; results/some/refused.tsv says why" in run.stdout


def test_neither_a_refused_nor_an_excluded_case_shows_a_name(study):
    folder, _, _ = study
    assert found_in(folder / "data")
    assert found_in(folder / "results") == []
    assert all(map(is_pseudonym, named(folder).values()))
    assert f"{MARK}_E" in (folder / "pseudonyms.tsv").read_text()


def test_the_workflow_on_dicom_gives_the_mask_of_the_command(study, model_folder):
    folder, _, _ = study
    engine, names = load_engine(model_folder / "model.onnx", 2), named(folder)
    for letter in "ABD":
        scan = read_scan(folder / f"data/{MARK}_{letter}/ct").volume
        stored = read_nifti(folder / f"results/some/segmentations/{names[letter]}.nii.gz")
        assert stored.grid == scan.grid
        np.testing.assert_array_equal(predict(scan, engine).segmentation.voxels_zyx, stored.voxels_zyx)


def test_a_second_run_has_nothing_to_do_but_to_remind_and_the_mode_alone_runs_nothing(study):
    folder, config, run = study
    reminder = "ctseg: 2 cases refused when this study last ran; results/some/refused.tsv says why"
    assert reminder not in run.stdout
    assert reminder in snakemake(folder, config, "--dry-run").stdout
    assert planned_jobs(folder, config) == {}
    assert planned_jobs(folder, merged(config, {"cases": {"on_refusal": "go_on"}})) == {}


def test_what_follows_the_study_takes_it_with_its_refusals(study):
    folder, config, _ = study
    run = snakemake(folder, config, "--", "verify")
    assert run.returncode == 0, run.stdout
    assert "are as the manifest says" in run.stdout
    run = snakemake(folder, config, "--report", folder / "own.html")
    assert run.returncode == 0, run.stdout
    assert "Refused cases" in (folder / "own.html").read_text()


def test_where_refusals_stop_the_study_the_refused_cases_run_again_and_no_other_one(study):
    folder, config, _ = study
    jobs = planned_jobs(folder, merged(config, {"cases": {"on_refusal": "stop"}}))
    assert (jobs["convert_image"], jobs["convert_label"], jobs["infer"]) == (1, 2, 1)


@pytest.mark.slow
def test_a_repaired_case_runs_its_own_jobs_and_the_tables(study, tmp_path):
    folder, config, _ = study
    whole = shutil.copytree(folder, tmp_path / "whole")
    shutil.rmtree(whole / f"data/{MARK}_C/ct")
    shutil.copytree(whole / f"whole/{MARK}_C/ct", whole / f"data/{MARK}_C/ct")
    (whole / f"data/{MARK}_C/ct").touch()
    jobs = planned_jobs(whole, config)
    assert {rule: jobs.get(rule) for rule in OWN} == dict.fromkeys(OWN, 1)
    assert set(jobs) == {*OWN, *TABLES}
    run = snakemake(whole, config)
    assert run.returncode == 0, run.stdout
    refused = pd.read_csv(whole / "results/some/refused.tsv", sep="\t")
    assert refused["case"].tolist() == [named(folder)["D"]]
    assert len(pd.read_csv(whole / "results/some/cohort.tsv", sep="\t")) == 4


@pytest.mark.slow
def test_a_study_that_is_to_stop_makes_no_tables(study, tmp_path):
    folder, config, _ = study
    for name in ("data", "pseudonyms.key"):
        (shutil.copytree if (folder / name).is_dir() else shutil.copy)(folder / name, tmp_path / name)
    run = snakemake(tmp_path, merged(config, {"cases": {"on_refusal": "stop"}}))
    assert run.returncode != 0
    assert not (tmp_path / "results/some/cohort.tsv").exists()
    assert not (tmp_path / f"results/some/images/{named(folder)['C']}.nii.gz").exists()
    assert (tmp_path / f"results/some/images/{named(folder)['A']}.nii.gz").exists()
    assert found_in(tmp_path / "results") == []


def test_where_every_case_is_refused_the_study_stops_and_says_so(study, tmp_path):
    folder, config, _ = study
    shutil.copytree(folder / f"data/{MARK}_C", tmp_path / f"data/{MARK}_C")
    run = snakemake(tmp_path, merged(config, {"cases": {"exclude": [], "label": None}}))
    assert run.returncode != 0
    assert "no case is left" in run.stdout
    assert "all 1 were refused" in run.stdout
    assert "Traceback" not in run.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_that_trains_ends_without_its_refused_cases(tmp_path):
    rows = ["case\timage\tlabel\tsplit"]
    splits = {"a": "train", "b": "train", "c": "train", "d": "val", "e": "val", "f": "test", "g": "test"}
    for seed, (case, split) in enumerate(splits.items()):
        write_case(tmp_path / case, seed)
        rows.append(f"{case}\t{case}/ct\t{case}/{MARK}_label.nii.gz\t{split}")
    (tmp_path / "cases.tsv").write_text("\n".join(rows) + "\n")
    for case in "bdf":
        cut(sorted((tmp_path / case / "ct").iterdir())[3])
    (tmp_path / "c" / f"{MARK}_label.nii.gz").write_bytes(b"no label")
    config = merged(TINY, {"study": "trained", "target": {"labels": {"ball": 1}, "region": "body"}})
    config |= {"cases": {"source": "table", "table": "cases.tsv", "on_refusal": "go_on"}}
    config = merged(config, {"infer": {"compare_cases": 1, "precision": "auto"}})
    run = snakemake(tmp_path, config, "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    results = tmp_path / "results/trained"
    assert json.loads((results / "plan.json").read_text())["left_out"]["value"] == ["b", "c", "d"]
    assert json.loads((results / "model/card.json").read_text())["training_cases"] == 1
    assert pd.read_csv(results / "refused.tsv", sep="\t")["case"].tolist() == ["b", "c", "d", "f"]
    assert set(pd.read_csv(results / "metrics/cases.tsv", sep="\t")["case"]) == {"e", "g"}
    assert "3 CT scans of 3 patients were split by patient: 1 for training" in (results / "report.html").read_text()
    assert re.search(r"training on 1 cases, validating on 1", (results / "logs/train/0.log").read_text())
    assert planned_jobs(tmp_path, config) == {}
