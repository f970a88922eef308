"""DICOM objects of a result, for service and page: whoever waits for a segmentation gets it also without them."""

from pathlib import Path

from ctseg.dicom.series import Choice
from ctseg.dicom_export.findings import Findings
from ctseg.errors import InputError
from ctseg.scans.flag import Flag
from serving.uploads import told


def write_dicom(folder: Path, choice: Choice, findings: Findings, scan: Path) -> list[Flag]:
    """Write SEG, RTSTRUCT and report into `folder`; return the flag `no_dicom` with the reason if none can be made.

    `scan` is the path of the scan on this machine, which the reason does not show.
    """
    from ctseg.dicom_export.write import write_objects  # takes 1 s, and few want DICOM objects

    try:
        write_objects(folder, choice, findings)
    except InputError as error:
        reason = told(error, scan).partition(";")[0]  # what follows is advice for the workflow
        return [Flag("no_dicom", {"reason": reason}, f"{reason}; the other results are complete")]
    return []
