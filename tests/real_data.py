"""Where the real scans for tests lie: beside the project, never inside it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT.parent / "shared" / "data"


def real_data(relative: str) -> Path:
    """The path of a real file or folder; skips the test, by name, where it is missing."""
    path = FOLDER / relative
    if not path.exists():
        pytest.skip(f"real scan {relative} is not here")
    return path
