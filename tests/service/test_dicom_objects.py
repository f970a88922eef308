"""Reason why a result has no DICOM objects."""

from types import SimpleNamespace

import pytest

from ctseg.dicom_export import write
from ctseg.errors import ScanError
from serving.dicom_objects import write_dicom


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "the slices in {scan} lack their StudyInstanceUID: no DICOM object can refer to them; use --dicom",
            "the slices in the upload lack their StudyInstanceUID: no DICOM object can refer to them",
        ),
        (
            "the scan in {scan} is spread over several multi-frame files: DICOM cannot be written",
            "the scan in the upload is spread over several multi-frame files: DICOM cannot be written",
        ),
    ],
)
def test_the_reason_is_told_without_path_and_without_advice_for_the_workflow(said, told, tmp_path, monkeypatch):
    def refuse(folder, choice, findings):
        raise ScanError(said.format(scan=tmp_path))

    monkeypatch.setattr(write, "write_objects", refuse)
    [flag] = write_dicom(tmp_path / "objects", SimpleNamespace(), SimpleNamespace(), tmp_path)
    assert (flag.kind, flag.values) == ("no_dicom", {"reason": told})
    assert flag.text == f"{told}; the other results are complete"
