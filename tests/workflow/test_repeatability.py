"""Equal inputs produce equal bytes, also after a kill; whole studies, so the tests take minutes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from places import ROOT
from studies import TINY, hashes, merged, planned_jobs, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Patches of realistic size, because sums over small patches are not split among threads.
STUDY = merged(TINY, {"plan": {"patch_size": [48] * 3}, "train": {"steps": 60, "validate_every": 10, "patience": 1000}})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Hashes of the results of a study without interruption."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run = snakemake(folder, STUDY)
    assert run.returncode == 0, run.stdout
    return hashes(folder)


def test_a_second_study_has_the_same_bytes(undisturbed, tmp_path):
    assert snakemake(tmp_path, STUDY).returncode == 0
    assert hashes(tmp_path) == undisturbed


def test_as_many_threads_give_the_same_bytes_on_any_number_of_cores(tmp_path):
    study, found = merged(STUDY, {"resources": {"threads": 1}}), []
    for cores in ("1", "2"):
        folder = tmp_path / cores
        folder.mkdir()
        assert snakemake(folder, study, "--cores", cores).returncode == 0
        found.append(hashes(folder))
    assert found[0] == found[1]


def test_a_study_killed_while_training_ends_with_the_same_bytes(undisturbed, tmp_path):
    config = tmp_path / "study.yaml"
    config.write_text(yaml.safe_dump(STUDY))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    command += ["--cores", "2", "--configfile", config]
    process = subprocess.Popen(
        list(map(str, command)), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "results/tiny/folds/0/checkpoint.pt"
    deadline = time.monotonic() + 600
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert snakemake(tmp_path, STUDY, "--unlock").returncode == 0
    run = snakemake(tmp_path, STUDY)
    assert run.returncode == 0, run.stdout
    assert "resumed at step" in (tmp_path / "results/tiny/logs/train/0.log").read_text()
    assert hashes(tmp_path) == undisturbed


def test_what_is_deleted_after_its_last_use_changes_no_result_and_is_not_missed(undisturbed, tmp_path):
    study = merged(STUDY, {"keep": "minimal"})
    run = snakemake(tmp_path, study)
    assert run.returncode == 0, run.stdout
    passing = ("preprocessed/", "predictions/")
    assert hashes(tmp_path) == {path: found for path, found in undisturbed.items() if not path.startswith(passing)}
    for keep in ("minimal", "all"):
        assert planned_jobs(tmp_path, merged(STUDY, {"keep": keep})) == {}
    # Only the deleted files that are needed are made again.
    jobs = planned_jobs(tmp_path, merged(study, {"measure": {"lesion_iou": 0.2}}))
    assert {"infer", "measure", "measure_probabilities"} <= jobs.keys()
    assert not {"preprocess", "train", "export_model"} & jobs.keys()
    run = snakemake(tmp_path, study, "--", "verify")
    assert run.returncode == 0, run.stdout
