"""Versions in a record are those of the packages loaded by the process."""

import subprocess
import sys
from importlib.metadata import version

import numpy
import pytest

from ctseg.provenance import versions
from ctseg.provenance.code_hash import pins
from ctseg.provenance.versions import REQUIREMENTS, add_software, software
from places import SCRIPTS


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch):
    """Clear the versions reported by other processes."""
    monkeypatch.setattr(versions, "_elsewhere", {})


def test_only_pinned_packages_are_told_with_the_version_that_is_installed():
    found = software()
    assert found["numpy"] == numpy.__version__
    assert found.keys() - {"python"} <= pins(REQUIREMENTS).keys()
    assert "pytest" not in found
    for package, told in found.items():
        # Some packages append the build to the version.
        assert package == "python" or told.startswith(version(package)), package


def test_what_was_not_loaded_is_not_told():
    code = "import numpy; from ctseg.provenance.versions import software; print(sorted(software()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SCRIPTS)
    assert run.stdout.strip() == "['numpy', 'python']"


def test_what_another_process_loaded_is_told_too():
    add_software({"onnxruntime": "0.0.1"})
    assert software()["onnxruntime"] == "0.0.1"
    assert next(iter(software())) == "python"
