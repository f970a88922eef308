"""A job of the service: its order, state and files."""

import hashlib
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ctseg.files import write_json

RECORD = "job.json"
RESULT, COMPONENTS, OBJECTS = "result.nii.gz", "result.json", "objects"


class State(StrEnum):
    """State of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Order:
    """Options of a request: DICOM output, `rescale` (slope, intercept) of `ctseg.scans.read_scan.read_scan`, series.

    The series is given by its number (see `series.numbers_of`) or by its UID.
    """

    dicom: bool = False
    rescale: tuple[float, float] | None = None
    series: int | None = None
    series_uid: str | None = None

    @property
    def needs_dicom(self) -> str:
        """Error message for a scan that is not DICOM; empty if the order accepts any scan."""
        if self.dicom:
            return "DICOM objects refer to DICOM slices: send a zip of DICOM, or leave out `dicom`"
        if self.series or self.series_uid:
            return "only a zip of DICOM holds several series: leave out `series` and `Series-UID`"
        return ""


@dataclass
class Job:
    """One scan to segment. `folder` contains `scan` and the results; `seconds` is the duration, `ended` a Unix time."""

    id: str
    folder: Path
    order: Order = Order()
    client: str = ""
    sha256: str | None = None  # of the upload
    scan: Path = Path()
    state: State = State.QUEUED
    progress: float = 0.0
    error: str | None = None
    seconds: float | None = None
    ended: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def log_name(self) -> str:
        """Name for logs; the id, which gives access to the result, cannot be found from it."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:8]

    @property
    def result(self) -> Path:
        """Path of the segmentation (.nii.gz); exists if the job is done."""
        return self.folder / RESULT

    @property
    def components(self) -> Path:
        """Path of the JSON file with the components; exists if the job is done."""
        return self.folder / COMPONENTS

    @property
    def objects(self) -> Path:
        """Folder of the DICOM objects; exists if the job is done, and they were requested and could be made."""
        return self.folder / OBJECTS

    def save(self, state: State) -> None:
        """Write the record of the job for a later server; called before the job changes to `state`. Raises OSError."""
        told = {"state": state.value, "error": self.error, "seconds": self.seconds, "ended": self.ended}
        write_json(self.folder / RECORD, told)

    def facts(self) -> dict[str, Any]:
        """Fields of the job that clients see."""
        return {
            "id": self.id,
            "state": self.state.value,
            "progress": round(self.progress, 3),
            "error": self.error,
            "seconds": self.seconds,
        }
