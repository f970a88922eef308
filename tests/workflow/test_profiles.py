"""Consistency of the cluster profiles with the workflow and with each other."""

import re

import pytest
import yaml
from snakemake.resources import Resources

from places import ROOT

ALIKE = ("rerun-triggers", "scheduler", "keep-going", "rerun-incomplete", "printshellcmds")


def profile(name):
    """Entries of a cluster profile."""
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


def rules():
    """Names of all rules of the workflow."""
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


def test_both_clusters_ask_for_as_much_where_a_rule_says_nothing():
    asked = [dict(entry.split("=", 1) for entry in profile(name)["default-resources"]) for name in ("slurm", "generic")]
    for key in ("mem_mb", "runtime", "disk_mb"):
        assert asked[0][key] == asked[1][key]


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_what_a_rule_asks_for_that_says_nothing_grows_with_each_attempt(name):
    asked = Resources.parse(profile(name)["default-resources"], allow_expressions=True, defaults="full")
    around = {"wildcards": None, "input": [], "threads": 1, "rulename": "crate", "async_run": None}
    for attempt in (1, 2):
        values = [asked[key].evaluate(attempt=attempt, **around).value for key in ("mem_mb", "runtime")]
        assert values == [1024 * attempt, 15 * attempt]


def test_both_clusters_run_the_same_groups():
    for key in ("groups", "group-components", "retries", "local-cores", "latency-wait"):
        assert profile("slurm")[key] == profile("generic")[key]
