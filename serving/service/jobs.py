"""The jobs of the service: their states, their queue, and how long their files are kept."""

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
    """What a client asks for: DICOM objects as well, the `rescale` of `ctseg.scans.read_scan.read_scan`, a series.

    The series is given by its number, as of `series.numbers_of`, or by its UID.
    """

    dicom: bool = False
    rescale: tuple[float, float] | None = None
    series: int | None = None
    series_uid: str | None = None

    @property
    def needs_dicom(self) -> str:
        """Why the order needs a DICOM series; empty if any scan will do."""
        if self.dicom:
            return "DICOM objects refer to DICOM slices: send a zip of DICOM, or leave out `dicom`"
        if self.series or self.series_uid:
            return "only a zip of DICOM holds several series: leave out `series` and `Series-UID`"
        return ""


@dataclass
class Job:
    """One scan to segment. `scan` lies in `folder`, where the result goes, too; `ended` is in seconds since 1970."""

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
        """The segmentation, once done."""
        return self.folder / RESULT

    @property
    def components(self) -> Path:
        """The components, as JSON, once done."""
        return self.folder / COMPONENTS

    @property
    def objects(self) -> Path:
        """The folder of the DICOM objects, once done, if they were requested."""
        return self.folder / OBJECTS

    def save(self, state: State) -> None:
        """Write what a later server must know of the job, before it is seen to be in that state."""
        told = {"state": state.value, "error": self.error, "seconds": self.seconds, "ended": self.ended}
        write_json(self.folder / RECORD, told)

    def facts(self) -> dict[str, Any]:
        """The fields that clients see."""
        return {
            "id": self.id,
            "state": self.state.value,
            "progress": round(self.progress, 3),
            "error": self.error,
            "seconds": self.seconds,
        }


class Full(Exception):
    """No place is free for one more job; the message says of what kind."""


class Jobs:
    """All known jobs and the bounded queue of waiting ones. Thread-safe."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Begin with the jobs whose folders lie in `folder`, where each new job gets one, too."""
        self._folder, self._settings = folder, settings
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._uploading: Counter[str] = Counter()  # by client
        self._condition = threading.Condition()
        self._closed = False
        for record in folder.glob(f"*/{RECORD}"):
            self._take_over(record)

    def _take_over(self, record: Path) -> None:
        """Know a job of an earlier server; one that had not ended has failed."""
        try:
            told = read_json(record)
            job = Job(record.parent.name, record.parent, state=State(told["state"]), error=told["error"])
            job.seconds, job.ended = told["seconds"], told["ended"]
        except (ValueError, KeyError, TypeError):  # cut by a machine that lost its power
            shutil.rmtree(record.parent, ignore_errors=True)
            return
        job.progress = float(job.state is State.DONE)
        self._jobs[job.id] = job
        if job.state not in FINAL:
            self.finish(job, State.FAILED, STOPPED)

    def begin(self, client: str, order: Order) -> Job:
        """A new job for an upload of a client that follows. Raises Full."""
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
        job_id = secrets.token_urlsafe(16)  # who does not know it cannot ask for the result
        job = Job(job_id, self._folder / job_id, order, client)
        job.folder.mkdir(mode=0o700)
        return job

    def enqueue(self, job: Job) -> None:
        """Queue a job whose upload is complete: what has been received is taken, also by a queue that is full now."""
        job.save(State.QUEUED)
        with self._condition:
            self._uploaded(job)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._condition.notify()

    def abandon(self, job: Job) -> None:
        """Free the place of a refused or interrupted upload and delete its files."""
        with self._condition:
            self._uploaded(job)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _uploaded(self, job: Job) -> None:
        """Free the place of an upload."""
        self._uploading[job.client] -= 1
        self._uploading += Counter()  # forgets clients without uploads

    def next(self, timeout_seconds: float) -> Job | None:
        """The next job; None after the timeout."""
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
        """Record the end of a job and delete its scan; a result is kept only if the job is done."""
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
        """Delete finished jobs that are too old, and the oldest if there are too many."""
        with self._condition:
            ended = sorted((job for job in self._jobs.values() if job.ended), key=lambda job: job.ended or 0.0)
        before = time.time() - self._settings.keep_seconds
        surplus = len(ended) - self._settings.keep_jobs
        for number, job in enumerate(ended):
            if number < surplus or (job.ended or 0.0) < before:
                self._forget(job)

    def close(self) -> None:
        """Take no more jobs; those that wait have failed."""
        with self._condition:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for job in waiting:
            self.finish(job, State.FAILED, STOPPED)

    def count(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with self._condition:
            states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in State}

    def _forget(self, job: Job) -> None:
        with self._condition:
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)
