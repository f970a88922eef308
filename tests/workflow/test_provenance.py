"""Provenance of results: the manifest, the check of the results by `verify`, and no paths of the user in it."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from ball_model import balls
from crates import problems_of
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.provenance.manifest import trace
from ctseg.scans.nifti import write_nifti
from studies import merged, snakemake

pytestmark = pytest.mark.timeout(300)
GRID = Grid((40, 40, 40), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
PATIENT = "Zyxwvu-Hans"
NUMBERLESS = ("adopt_model", "tabulate_cohort", "tabulate_refusals")  # rules that need no numpy


@pytest.fixture(scope="module")
def finished(tmp_path_factory, model_folder):
    """Folder with two scans (one labelled) and the results of a study that segments them, and its config."""
    folder = tmp_path_factory.mktemp("provenance")
    for seed in (100, 101):
        hu, mask = balls(seed)
        write_nifti(Volume(hu, GRID), folder / PATIENT / f"scan-case-{seed}.nii.gz")
        if seed == 100:
            write_nifti(Volume(mask.astype(np.uint8), GRID), folder / PATIENT / f"label-case-{seed}.nii.gz")
    config = {
        "study": "given",
        "model": str(model_folder / "model.onnx"),
        "cases": {
            "source": "folder",
            "image": f"{PATIENT}/scan-{{case}}.nii.gz",
            "label": f"{PATIENT}/label-{{case}}.nii.gz",
        },
        "convert": {"missing_label": "allow"},
        "target": {"labels": {"ball": 1}, "region": "body"},
        "resources": {"threads": 2},
    }
    run = snakemake(folder, config)
    assert run.returncode == 0, run.stdout
    return folder, config


def copied(finished, tmp_path):
    """Copy of the finished study that a test may change, and its config."""
    folder, config = finished
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy", config


def test_the_manifest_tells_what_every_job_read_and_wrote(finished):
    folder, config = finished
    study = folder / "results/given"
    manifest = json.loads((study / "provenance/manifest.json").read_text())
    assert manifest["config"]["target"] == config["target"] | manifest["config"]["target"]
    written = {}
    for job in manifest["jobs"]:
        assert job["started"] <= job["ended"]
        assert len(job["code"]) == 16
        assert "numpy" in job["software"] or job["rule"] in NUMBERLESS, job["rule"]
        written |= job["outputs"]
    viewer = written.pop("viewer")  # a folder
    contents = [path.read_bytes() for path in (study / "viewer").glob("[!.]*")]
    lines = sorted(hashlib.sha256(content).hexdigest() + "\n" for content in contents)
    assert viewer["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (viewer["files"], viewer["bytes"]) == (len(contents), sum(map(len, contents)))
    for path, facts in written.items():
        content = (study / path).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert {path for job in manifest["jobs"] for path in job["inputs"]} <= written.keys() | {"viewer"}
    results = {str(path.relative_to(study)) for path in study.rglob("*") if path.is_file()}
    beside = ("logs/", "benchmarks/", "provenance/", "viewer/")
    assert {path for path in results if not path.startswith(beside)} == written.keys()

    given = {(job["rule"], name): facts for job in manifest["jobs"] for name, facts in job["sources"].items()}
    label = (folder / PATIENT / "label-case-100.nii.gz").read_bytes()
    assert given["convert_label", "label"] == [{"sha256": hashlib.sha256(label).hexdigest(), "bytes": len(label)}]
    assert {rule for rule, _ in given} == {"adopt_model", "convert_image", "convert_label"}


def test_what_was_not_touched_is_verified(finished):
    folder, config = finished
    run = snakemake(folder, config, "--", "verify")
    assert run.returncode == 0, run.stdout
    assert "files and folders are as the manifest says" in run.stdout


def test_whatever_changed_or_went_is_named_and_nothing_is_made_anew(finished, tmp_path):
    folder, config = copied(finished, tmp_path)
    study = folder / "results/given"
    (study / "segmentations/case-100.nii.gz").write_bytes(b"something else")
    (study / "report.html").unlink()
    shutil.copy(folder / PATIENT / "scan-case-100.nii.gz", folder / PATIENT / "scan-case-101.nii.gz")
    run = snakemake(folder, config, "--", "verify")
    assert run.returncode != 0
    told = run.stdout[run.stdout.index("differs from its manifest") :].split("\n\n")[0]
    assert sorted(line.strip() for line in told.splitlines()[1:]) == [
        "results/given/report.html is missing",
        "results/given/segmentations/case-100.nii.gz has changed",
        "the scan of convert_image case-101/scan has changed",
    ]
    assert not (study / "report.html").exists()
    assert "Traceback" not in run.stdout


def test_a_result_without_a_record_is_told(finished):
    with pytest.raises(InputError, match=r"no record of the job of .*given/images/other.nii.gz"):
        trace(finished[0] / "results/given", ["report.html", "images/other.nii.gz"])


def test_neither_names_nor_paths_of_the_users_files_are_kept(finished):
    folder, _ = finished
    for path in (folder / "results/given").rglob("*"):
        assert PATIENT not in str(path)
        assert not path.is_file() or PATIENT.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_the_study_is_a_valid_crate_also_without_what_was_cleaned_away(finished, tmp_path):
    folder, config = copied(finished, tmp_path)
    run = snakemake(folder, merged(config, {"report": {"licence": "CC-BY-4.0"}}), "--", "crate")
    assert run.returncode == 0, run.stdout
    study = folder / "results/given"
    assert problems_of(study) == []
    graph = json.loads((study / "ro-crate-metadata.json").read_text())["@graph"]
    actions = [entity for entity in graph if entity["@type"] == "CreateAction"]
    jobs = json.loads((study / "provenance/manifest.json").read_text())["jobs"]
    assert len(actions) == len(jobs) + 1
    (study / "segmentations/case-100.nii.gz").unlink()
    assert any("segmentations/case-100.nii.gz" in problem for problem in problems_of(study))
