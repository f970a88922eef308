"""Jobs of the service: queue, end, and deletion of old results."""

import logging
import secrets
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctseg.files import read_json
from serving.service.job import FINAL, RECORD, Job, Order, State
from serving.settings import Settings

STOPPED = "the service was stopped before this scan was segmented; send it again"
LOG = logging.getLogger("ctseg.serving")


class Full(Exception):
    """No further job is accepted; the message states which limit is reached."""


class Jobs:
    """All known jobs and the bounded queue of waiting ones. Thread-safe."""

    def __init__(self, folder: Path, settings: Settings, renew: Callable[[], None] = lambda: None) -> None:
        """Load the jobs of earlier servers from `folder`; each new job gets a subfolder in it.

        `renew` is called before that: it makes `folder` again if somebody removed it.
        """
        self._folder, self._settings, self._renew = folder, settings, renew
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._uploading: Counter[str] = Counter()  # by client
        self._condition = threading.Condition()
        self._closed = False
        for record in folder.glob(f"*/{RECORD}"):
            self._take_over(record)

    def _take_over(self, record: Path) -> None:
        """Load a job of an earlier server; mark it as failed if it had not ended. One that cannot be read stays."""
        try:
            told = read_json(record)
            job = Job(record.parent.name, record.parent, state=State(told["state"]), error=told["error"])
            job.seconds, job.ended = told["seconds"], told["ended"]
        except (ValueError, KeyError, TypeError):  # incomplete after a power failure
            shutil.rmtree(record.parent, ignore_errors=True)
            return
        except OSError as error:
            LOG.error("the record of a job of an earlier server cannot be read: %s", error.strerror)
            return
        job.progress = float(job.state is State.DONE)
        self._jobs[job.id] = job
        if job.state not in FINAL:
            self.finish(job, State.FAILED, STOPPED)

    def begin(self, client: str, order: Order) -> Job:
        """New job for an upload that a client is about to send. Raises Full, and OSError if the disk fails."""
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
        try:
            self._renew()
            job.folder.mkdir(mode=0o700)
        except BaseException:
            self.abandon(job)
            raise
        return job

    def enqueue(self, job: Job) -> None:
        """Queue a job with a complete upload; a received upload is accepted even if the queue is full now.

        Raises OSError, and queues nothing, if the job cannot be recorded.
        """
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
        """Set the final state of a job and delete its scan; results are kept only if the state is DONE.

        A job that is cancelled until then has no result. The state holds even if the disk refuses its record.
        """
        _delete_files(job, keep_result=state is State.DONE)
        with self._condition:
            too_late = state is State.DONE and job.cancelled.is_set()
            state = State.CANCELLED if too_late else state
            job.error, job.ended = error, time.time()
            job.progress = 1.0 if state is State.DONE else job.progress
            with _faults_logged(job, "its end cannot be recorded"):
                job.save(state)
            job.state = state
        if too_late:
            _delete_files(job, keep_result=False)

    def delete(self, job: Job) -> None:
        """Cancel a waiting or running job; delete a finished one with its result."""
        with self._condition:
            job.cancelled.set()
            waits, ended = job in self._waiting, job.state in FINAL
            if waits:
                self._waiting.remove(job)
        if waits:
            self.finish(job, State.CANCELLED)
        elif ended:
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


def _delete_files(job: Job, keep_result: bool) -> None:
    """Delete the files of a job but its record, and its results on request."""
    keep = {job.folder / RECORD} | ({job.result, job.components, job.objects} if keep_result else set())
    paths: set[Path] = set()
    with _faults_logged(job, "its files cannot be listed"):
        paths = set(job.folder.iterdir()) - keep
    for path in paths:
        with _faults_logged(job, "a file cannot be deleted"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def _faults_logged(job: Job, what: str) -> Iterator[None]:
    """Log an OSError of the block, without its path, which contains the id of the job, and go on after the block."""
    try:
        yield
    except OSError as error:
        LOG.error("job %s: %s (%s)", job.log_name, what, error.strerror)
