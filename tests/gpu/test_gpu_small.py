"""The tests of `make test-gpu` and the GPU benchmark run completely on a CPU with small sizes."""

import json
import subprocess
import sys

import pytest

from places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def run(*command):
    found = subprocess.run(
        [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    assert found.returncode == 0, found.stdout[-5000:]
    return found.stdout


def test_the_tests_for_a_gpu_run_on_a_processor():
    said = run("-m", "pytest", "-m", "gpu", "--device", "cpu", "--small", "tests/gpu/test_gpu.py", "-rs")
    assert "skipped" not in said.lower()


def test_the_benchmark_for_a_gpu_runs_on_a_processor(tmp_path):
    run("benchmarks/gpu.py", tmp_path, "--device", "cpu", "--small")
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert set(found) == {"infer", "steps", "host", "dice", "repeat"}
    assert found["repeat"]["phantom"]["as trained"]["same"]
