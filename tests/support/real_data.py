"""Real scans for tests, and programs that write input from user reports, both outside of the project folder."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from places import ROOT

FOLDER = ROOT.parent / "shared" / "data"
REPORTS = ROOT.parent / "shared" / "reports"


def real_data(relative: str) -> Path:
    """Path of a real file or folder; skips the test with the name of the file if it is missing."""
    path = FOLDER / relative
    if not path.exists():
        pytest.skip(f"real scan {relative} is not here")
    return path


def report(name: str) -> ModuleType:
    """Module `caseNN_*` that writes reported input; skips the test with its name if it is missing."""
    if not (REPORTS / f"{name}.py").exists():
        pytest.skip(f"the reported case {name} is not here")
    if str(REPORTS) not in sys.path:
        sys.path.append(str(REPORTS))
    return importlib.import_module(name)
