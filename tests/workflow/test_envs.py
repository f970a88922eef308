"""The conda environments have the versions of requirements.txt."""

import ast
import re
import sys
import tomllib

import pytest
import yaml

from ctseg.report.niivue import PACKAGE
from ctseg.version import VERSION
from places import ROOT

CONDA_NAMES = {"torch": "pytorch", "isal": "python-isal", "skimage": "scikit-image", "cc3d": "connected-components-3d"}
CONDA_NAMES |= {"PIL": "pillow", "yaml": "pyyaml"}
NOT_OF_A_RULE = {"job", "list_series"}


def pins():
    """Versions in requirements.txt by conda name."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = dict(re.fullmatch(r"([\w-]+)(?:\[.*\])?==(\S+)", line).groups() for line in lines if "==" in line)
    return {CONDA_NAMES.get(name, name).lower(): version for name, version in found.items()}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_equal_those_of_requirements(path):
    wanted = pins()
    for name, version in dependencies(path).items():
        if name not in ("python", "pip"):
            assert wanted[name] == version, f"{path.name}: {name}"


def dependencies(path):
    """Versions in a conda environment by name, including pip packages."""
    lines = yaml.safe_load(path.read_text())["dependencies"]
    of_pip = [line for part in lines if isinstance(part, dict) for line in part["pip"]]
    return dict(line.replace("==", "=").partition("=")[::2] for line in [*lines, *of_pip] if isinstance(line, str))


def third_party(path, seen):
    """Top-level names of all packages that a script imports, directly or through the library."""
    packages = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            local = ROOT / "workflow_scripts" / f"{name.replace('.', '/')}.py"
            if local.is_file() and local not in seen:
                seen.add(local)
                packages |= third_party(local, seen)
            packages.add(name.partition(".")[0])
    return packages


def test_an_environment_has_what_the_scripts_of_its_rules_import():
    local = {"ctseg", "job", *sys.stdlib_module_names}
    for rules in (ROOT / "rules").glob("*.smk"):
        for env, script in re.findall(r'"\.\./envs/(.+)"(?:.|\n)*?"\.\./workflow_scripts/(.+)"', rules.read_text()):
            there = set(dependencies(ROOT / "envs" / env))
            needed = third_party(ROOT / "workflow_scripts" / script, set()) - local
            missing = {CONDA_NAMES.get(name, name).lower() for name in needed} - there
            assert not missing, f"{env} for {script}: {missing}"


def test_the_viewer_of_the_report_has_its_package():
    assert PACKAGE in dependencies(ROOT / "envs/evaluate.yaml")


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


def test_the_citation_names_the_version_of_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert str(cited) == VERSION
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"]
