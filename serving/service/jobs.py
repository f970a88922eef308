"""Jobs of the service: states, queue, and deletion of old results."""

import secrets
import shutil
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ctseg.files import read_json, write_json
from serving.settings import Settings

RECORD = "job.json"
RESULT, COMPONENTS, OBJECTS = "result.nii.gz", "result.json", "objects"
STOPPED = "the service was stopped before this scan was segmented; send it again"


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
    def result(self) -> Path:
        """Path of the segmentation (.nii.gz); exists if the job is done."""
        return self.folder / RESULT

    @property
    def components(self) -> Path:
        """Path of the JSON file with the components; exists if the job is done."""
        return self.folder / COMPONENTS

    @property
    def objects(self) -> Path:
        """Folder of the DICOM objects; exists if the job is done and they were requested."""
        return self.folder / OBJECTS

    def save(self, state: State) -> None:
        """Write the record of the job for a later server; called before the job changes to `state`."""
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


class Full(Exception):
    """No further job is accepted; the message states which limit is reached."""


class Jobs:
    """All known jobs and the bounded queue of waiting ones. Thread-safe."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Load the jobs of earlier servers from `folder`; each new job gets a subfolder in it."""
        self._folder, self._settings = folder, settings
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._uploading: Counter[str] = Counter()  # by client
        self._condition = threading.Condition()
        self._closed = False
        for record in folder.glob(f"*/{RECORD}"):
            self._take_over(record)

    def _take_over(self, record: Path) -> None:
        """Load a job of an earlier server; mark it as failed if it had not ended."""
        try:
            told = read_json(record)
            job = Job(record.parent.name, record.parent, state=State(told["state"]), error=told["error"])
            job.seconds, job.ended = told["seconds"], told["ended"]
        except (ValueError, KeyError, TypeError):  # incomplete after a power failure
            shutil.rmtree(record.parent, ignore_errors=True)
            return
        job.progress = float(job.state is State.DONE)
        self._jobs[job.id] = job
        if job.state not in FINAL:
            self.finish(job, State.FAILED, STOPPED)

    def begin(self, client: str, order: Order) -> Job:
        """New job for an upload that a client is about to send. Raises Full."""
        with self._condition:
            if self._closed:
                raise Full("the service is being stopped")
            if len(self._waiting) >= self._settings.queue_size:
                raise Full("the queue is full")
            if self._uploading.total() >= self._settings.uploads_at_once:
                raise Full("too many uploads are on their way")
            if self._uploading[client] >= self._settings.uploads_per_client:
                raise Full("too many uploads of yours are on their way")
            self._uploading[client] += 1
        job_id = secrets.token_urlsafe(16)  # unguessable, so only its owner can request the result
        job = Job(job_id, self._folder / job_id, order, client)
        job.folder.mkdir(mode=0o700)
        return job

    def enqueue(self, job: Job) -> None:
        """Queue a job with a complete upload; a received upload is accepted even if the queue is full now."""
        job.save(State.QUEUED)
        with self._condition:
            self._uploaded(job)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._condition.notify()

    def abandon(self, job: Job) -> None:
        """Release the slot of a rejected or interrupted upload and delete its files."""
        with self._condition:
            self._uploaded(job)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _uploaded(self, job: Job) -> None:
        """Release the slot of an upload; the caller holds the lock."""
        self._uploading[job.client] -= 1
        self._uploading += Counter()  # removes clients with a count of 0

    def next(self, timeout_seconds: float) -> Job | None:
        """The next waiting job, now running; None after the timeout."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting, timeout_seconds)
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            job.state = State.RUNNING
            return job

    def get(self, job_id: str) -> Job | None:
        """The job with this id, or None."""
        with self._condition:
            return self._jobs.get(job_id)

    def finish(self, job: Job, state: State, error: str | None = None) -> None:
        """Record the end of a job and delete its scan; results are kept only if the state is DONE."""
        keep = {job.folder / RECORD}
        if state is State.DONE:
            keep |= {job.result, job.components, job.objects}
        for path in job.folder.iterdir() if job.folder.is_dir() else ():
            if path not in keep:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        with self._condition:
            job.error, job.ended = error, time.time()
            job.progress = 1.0 if state is State.DONE else job.progress
            job.save(state)
            job.state = state

    def delete(self, job: Job) -> None:
        """Cancel a waiting or running job; delete a finished one with its result."""
        job.cancelled.set()
        with self._condition:
            waits = job in self._waiting
            if waits:
                self._waiting.remove(job)
        if waits:
            self.finish(job, State.CANCELLED)
        elif job.state in FINAL:
            self._forget(job)

    def sweep(self) -> None:
        """Delete finished jobs that are too old, and the oldest jobs above the maximum number."""
        with self._condition:
            ended = sorted((job for job in self._jobs.values() if job.ended), key=lambda job: job.ended or 0.0)
        before = time.time() - self._settings.keep_seconds
        surplus = len(ended) - self._settings.keep_jobs
        for number, job in enumerate(ended):
            if number < surplus or (job.ended or 0.0) < before:
                self._forget(job)

    def close(self) -> None:
        """Accept no more jobs and mark all waiting jobs as failed."""
        with self._condition:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for job in waiting:
            self.finish(job, State.FAILED, STOPPED)

    def count(self) -> dict[State, int]:
        """Number of jobs in each state."""
        with self._condition:
            states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in State}

    def _forget(self, job: Job) -> None:
        with self._condition:
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)
