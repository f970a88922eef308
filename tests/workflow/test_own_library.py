"""A study uses the library of the checkout of its Snakefile, in any environment."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctseg.errors import InputError
from job import job
from jobs import handed_over
from places import ROOT
from studies import TINY, copy_checkout, snakemake

TARGET = "results/tiny/phantom/phantom-000/dicom"


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Second checkout with noisier phantoms."""
    folder = copy_checkout(tmp_path_factory.mktemp("other"))
    patient = folder / "workflow_scripts/ctseg/phantom/patient.py"
    code = patient.read_text()
    assert "NOISE_HU = (9.0, 20.0)" in code
    patient.write_text(code.replace("NOISE_HU = (9.0, 20.0)", "NOISE_HU = (900.0, 2000.0)"))
    return folder


def pixels(folder: Path) -> str:
    """SHA-256 of the slices in the folder TARGET."""
    slices = sorted((folder / TARGET).iterdir())
    assert slices
    return hashlib.sha256(b"".join(path.read_bytes() for path in slices)).hexdigest()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("rival_in_path", [False, True])
def test_two_checkouts_in_one_environment_run_each_its_own_library(other, rival_in_path, tmp_path, monkeypatch):
    found = {}
    for name, checkout, rival in (("own", ROOT, other), ("other", other, ROOT)):
        monkeypatch.delenv("PYTHONPATH", raising=False)
        if rival_in_path:
            monkeypatch.setenv("PYTHONPATH", str(rival / "workflow_scripts"))
        study = tmp_path / name
        study.mkdir()
        run = snakemake(study, TINY, "--keep-going", TARGET, checkout=checkout)
        assert run.returncode == 0, run.stdout
        found[name] = pixels(study)
    assert found["own"] != found["other"]


def test_a_job_with_the_library_of_another_checkout_stops(other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = handed_over("infer", {}, {}, {"prediction": "results/study/y.nii"})
    there.scriptdir = str(other / "workflow_scripts")
    with pytest.raises(SystemExit) as ended, job(there):
        raise InputError("never reached")
    assert str(ROOT / "workflow_scripts" / "ctseg") in str(ended.value)
    assert str(other / "workflow_scripts" / "ctseg") in str(ended.value)
    assert not Path("results/study/y.nii").exists()


def test_the_command_line_finds_the_library_from_any_folder(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [Path(sys.executable).with_name("ctseg"), "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("ctseg ")
