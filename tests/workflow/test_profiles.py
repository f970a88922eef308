"""The profiles for clusters agree with the workflow and with each other."""

import re

import pytest
import yaml

from places import ROOT

ALIKE = ("rerun-triggers", "scheduler", "keep-going", "rerun-incomplete", "printshellcmds")


def profile(name):
    """The entries of a profile."""
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


def rules():
    """The names of all rules of the workflow."""
    texts = [path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]]
    return set(re.findall(r"^ *rule (\w+):", "".join(texts), re.MULTILINE))


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_a_profile_of_a_cluster_keeps_what_is_right_on_every_machine(name):
    usual, cluster = profile("default"), profile(name)
    assert {key: cluster[key] for key in ALIKE} == {key: usual[key] for key in ALIKE}


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_every_rule_and_group_of_a_profile_exists(name):
    cluster = profile(name)
    groups = dict(entry.split("=") for entry in cluster["groups"])
    assert groups.keys() <= rules()
    assert set(groups.values()) == {entry.split("=")[0] for entry in cluster["group-components"]}
    assert cluster.get("set-resources", {}).keys() <= rules()


def test_both_clusters_run_the_same_groups():
    for key in ("groups", "group-components", "retries", "local-cores", "latency-wait"):
        assert profile("slurm")[key] == profile("generic")[key]
