"""More than five hundred damaged files: each is read correctly or causes one clear error.

No file may cause a traceback, a crash, a hang, unlimited memory, or a volume that differs from that of another reader.
"""

import json
import subprocess
import sys

import pytest

from places import ROOT

FILES = {"dicom": 200, "nii": 75, "nii.gz": 75, "nifti2": 50, "nrrd": 75, "rtstruct": 75}
LONGEST_S = 10


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_are_read_right_or_refused(tmp_path, kind):
    command = [sys.executable, ROOT / "tests" / "support" / "mutations.py", tmp_path, kind, 0, FILES[kind]]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"{lines[-1]} ended it: {run.stderr[-2000:]}"  # crash or out of memory
    results = [line for line in lines if "result" in line]
    assert len(results) == FILES[kind]
    assert [line for line in results if line["result"] not in ("right", "error")] == []
    assert max(line["seconds"] for line in results) < LONGEST_S
    errors = [line["text"] for line in results if line["result"] == "error"]
    assert errors
    assert all(str(tmp_path) in text and "\n" not in text for text in errors)  # one line that names the file
