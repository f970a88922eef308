"""Case tables and case files in a temporary folder, and the cases found there."""

from pathlib import Path
from typing import Any

import pytest

from ctseg.errors import InputError
from ctseg.study.cases import Case, find_cases
from places import SCHEMAS

NOTHING = {
    "table": None,
    "image": None,
    "label": None,
    "folder": None,
    "exclude": [],
    "phantom": {"patients": 1},
}
NOTHING |= {"corrections": None, "names": "keep", "key_file": "secrets/key"}


def find(root: Path, **config: Any) -> list[Case]:
    return find_cases({**NOTHING, **config}, root, SCHEMAS / "cases.schema.yaml", "made", {"nodule": 1})


def complaint(root: Path, **config: Any) -> str:
    with pytest.raises(InputError) as caught:
        find(root, **config)
    return str(caught.value)


def make_files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_table(root: Path, text: str, files: bool = True) -> dict[str, str]:
    """Write data/cases.tsv, with tabs for spaces, and if `files` a.nii, b.nii and seg.nii; return the config."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data/cases.tsv").write_text(text.replace(" ", "\t"), encoding="utf-8")
    if files:
        make_files(root / "data", "a.nii", "b.nii", "seg.nii")
    return {"source": "table", "table": "data/cases.tsv"}
