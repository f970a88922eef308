"""Thread that sends jobs one by one to the worker process and restarts a worker that has ended."""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from ctseg.errors import InputError
from serving.service.job import Job, State
from serving.service.jobs import STOPPED, Jobs
from serving.service.worker import Message, work
from serving.settings import Settings

LOG = logging.getLogger("ctseg.serving")
LOOK_SECONDS = 0.05  # interval of checks for cancellation and time limit; results wake the thread at once
START_SECONDS = 300.0  # compiling a large model can take long
SPAWN = multiprocessing.get_context("spawn")  # fork can hang in a process with threads


class Runner:
    """Owner of the worker process. `about` describes the model (see `worker.Loaded.about`) once it is loaded."""

    def __init__(self, jobs: Jobs, settings: Settings, ended: Callable[[Job], None]) -> None:
        """Store the settings without starting a process; `ended` is called with each ended job."""
        self._jobs, self._settings, self._ended = jobs, settings, ended
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._idle = True  # whether the worker waits for a job
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="runner")
        self.about: dict[str, Any] = {}
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """Whether jobs are run: by the thread, and a worker that has loaded the model."""
        return self._thread.is_alive() and self._worker_ready

    @property
    def _worker_ready(self) -> bool:
        return self._process is not None and self._process.is_alive() and self._pipe is not None

    @property
    def worker_pid(self) -> int | None:
        """The process id of the worker."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start worker and thread. Raises InputError if there is no worker with a model."""
        self._start_worker()
        self._thread.start()

    def stop(self) -> None:
        """Wait at most `stop_seconds` for the running job, then stop thread and worker."""
        self._stop.set()
        self._thread.join(self._settings.stop_seconds)
        self._hurry.set()
        self._thread.join()
        self._end_worker()

    def _run(self) -> None:
        """Run jobs until the runner is stopped."""
        while not self._stop.is_set():
            try:
                if not self._worker_ready:
                    self._start_worker()
            except InputError as error:
                LOG.error("no worker can be started: %s", error)
                self._stop.wait(1.0)
                continue
            job = self._jobs.next(LOOK_SECONDS * 4)
            if job:
                self._do(job)

    def _do(self, job: Job) -> None:
        """Run one job and record its final state, error and duration."""
        began = time.monotonic()
        try:
            state, error = self._outcome(job, began + self._settings.job_seconds)
        except (OSError, EOFError):
            state, error = State.FAILED, "the worker ended unexpectedly while it segmented this scan; send it again"
        if not self._idle:
            self._end_worker()
        job.seconds = round(time.monotonic() - began, 3)
        self._jobs.finish(job, state, error)
        LOG.info("job %s %s after %.2f s", job.log_name, job.state, job.seconds)
        self._ended(job)

    def _outcome(self, job: Job, deadline: float) -> tuple[State, str | None]:
        """Send the job to the worker and follow its progress; return final state and error.

        Raises OSError or EOFError if the worker dies.
        """
        assert self._pipe is not None
        self._idle = False
        self._pipe.send((job.scan, job.order, job.sha256))
        while True:
            if job.cancelled.is_set():
                return State.CANCELLED, None
            if self._hurry.is_set():
                return State.FAILED, STOPPED
            if time.monotonic() > deadline:
                return State.FAILED, f"the time limit of {self._settings.job_seconds:g} s is over"
            if not self._pipe.poll(LOOK_SECONDS):
                continue
            kind, content = self._pipe.recv()
            if kind == "progress":
                job.progress = content
                continue
            self._idle = True
            return (State.DONE, None) if kind == "done" else (State.FAILED, content)

    def _start_worker(self) -> None:
        """Start a worker and wait until its model is loaded.

        Raises InputError if the model cannot be loaded, or the machine starts no process.
        """
        if self._process is not None:
            self.restarts += 1
            LOG.warning("the worker is started again")
        self._end_worker()
        try:
            ours, theirs = SPAWN.Pipe()
            self._process = SPAWN.Process(target=work, args=(theirs, self._settings), daemon=True)
            self._process.start()
        except OSError as error:
            raise InputError(
                f"the machine starts no process for the worker ({error.strerror}); end other programs"
            ) from None
        theirs.close()
        kind, content = self._first_message(ours)
        if kind != "ready":
            ours.close()
            raise InputError(content)
        self._pipe, self.about, self._idle = ours, content, True

    def _first_message(self, pipe: Connection) -> Message:
        """First message of a new worker: description of the model, or the reason why it cannot be loaded."""
        wait([pipe], START_SECONDS)
        try:
            return pipe.recv() if pipe.poll() else ("broken", f"the model was not loaded within {START_SECONDS:g} s")
        except (EOFError, OSError):
            return "broken", "the worker ended while it loaded the model; is there enough memory?"

    def _end_worker(self) -> None:
        """Kill the worker process and wait until it has ended."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None
        if self._process and self._process.is_alive():
            self._process.kill()
            self._process.join()
