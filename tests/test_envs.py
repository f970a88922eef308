"""The conda environments say what requirements.txt says."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"torch": "pytorch", "isal": "python-isal"}
NOT_OF_A_RULE = {"job", "list_series"}


def pins():
    """Name to version of requirements.txt, in conda's names."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = dict(re.fullmatch(r"([\w-]+)(?:\[.*\])?==(\S+)", line).groups() for line in lines if "==" in line)
    return {CONDA_NAMES.get(name, name).lower(): version for name, version in found.items()}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_equal_those_of_requirements(path):
    wanted = pins()
    for dependency in yaml.safe_load(path.read_text())["dependencies"]:
        name, version = dependency.split("=")
        if name != "python":
            assert wanted[name] == version, f"{path.name}: {name}"


def test_every_environment_of_a_rule_exists():
    for rules in (ROOT / "rules").glob("*.smk"):
        for name in re.findall(r'"\.\./envs/(.+)"', rules.read_text()):
            assert (ROOT / "envs" / name).is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "workflow_scripts").glob("*.py")), ids=lambda path: path.stem)
def test_scripts_are_thin_and_named_after_their_rule(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 60
    rules = "".join(rules.read_text() for rules in (ROOT / "rules").glob("*.smk"))
    assert path.stem in NOT_OF_A_RULE or re.search(rf"^rule {path.stem}:", rules, re.MULTILINE)
