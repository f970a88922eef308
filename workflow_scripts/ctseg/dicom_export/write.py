"""Results as DICOM objects in the study of the scan: a SEG, an RTSTRUCT and a measurement report.

They name the patient and the study, because an archive needs these names. No other output of ctseg names them, and
these objects are written only on request.
"""

from pathlib import Path

from pydicom.dataset import Dataset

from ctseg.dicom.series import Choice
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.rtstruct import make_rtstruct
from ctseg.dicom_export.seg import make_seg
from ctseg.dicom_export.source_series import claim, quiet, read_source
from ctseg.dicom_export.structured_report import make_report
from ctseg.files import atomic_path

SEG, RTSTRUCT, REPORT = "seg.dcm", "rtstruct.dcm", "report.dcm"
NAMES = (SEG, RTSTRUCT, REPORT)


def write_objects(folder: str | Path, choice: Choice, findings: Findings) -> None:
    """Write the objects into `folder` under the names in `NAMES`; `choice` is the stack that the scan was read from.

    Raises ScanError if the slices cannot be referred to or the segmentation is not on their grid.
    """
    source = read_source(choice)
    with quiet():
        seg = make_seg(source, findings)
        objects = {SEG: seg, RTSTRUCT: make_rtstruct(source, findings), REPORT: make_report(source, findings, seg)}
        for name, dataset in objects.items():
            claim(dataset, source)
            _save(dataset, Path(folder) / name)


def _save(dataset: Dataset, path: Path) -> None:
    with atomic_path(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)
