"""Where the real scans for tests lie, and the programs that write input as users reported it: beside the project."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from places import ROOT

FOLDER = ROOT.parent / "shared" / "data"
REPORTS = ROOT.parent / "shared" / "reports"


def real_data(relative: str) -> Path:
    """The path of a real file or folder; skips the test, by name, where it is missing."""
    path = FOLDER / relative
    if not path.exists():
        pytest.skip(f"real scan {relative} is not here")
    return path


def report(name: str) -> ModuleType:
    """The program `caseNN_*` that writes reported input; skips the test, by name, where it is missing."""
    if not (REPORTS / f"{name}.py").exists():
        pytest.skip(f"the reported case {name} is not here")
    if str(REPORTS) not in sys.path:
        sys.path.append(str(REPORTS))
    return importlib.import_module(name)
