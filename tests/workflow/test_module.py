"""Use of this workflow as a module of another workflow with its own config and rules."""

import subprocess
import sys

import pytest
import yaml

from places import ROOT
from studies import TINY

SNAKEFILE = f"""
configfile: "mine.yaml"

module ctseg:
    snakefile: "{ROOT}/Snakefile"
    config: config

use rule * from ctseg

rule count_slices:
    input: "results/tiny/images/phantom-000.nii.gz"
    output: "slices.txt"
    shell: "wc -c < {{input}} > {{output}}"
"""


@pytest.mark.timeout(200)
def test_a_rule_of_another_workflow_takes_a_result_of_this_one(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "slices.txt"]
    run = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    assert int((tmp_path / "slices.txt").read_text()) > 1000
    # A module does not load profiles/default, and the jobs of all cores at once may need more memory than there is.
    (limits,) = [line for line in run.stdout.splitlines() if line.startswith("Provided resources")]
    assert "gpu" in limits
    assert "mem_mb" in limits
    assert (tmp_path / "results/tiny/logs/convert_image/phantom-000.log").is_file()


def test_what_the_other_config_leaves_out_is_that_of_this_one(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    study = {"study": "tiny", "cases": {"source": "phantom"}, "target": {"labels": {"lesion": 1}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "2", "results/tiny/labels/phantom-015.json"]
    run = subprocess.run(
        [*command, "--printshellcmds"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert "convert_label" in run.stdout
