"""Segmentation runs of the page, in background threads; results are kept in memory for a limited time.

A run belongs to one input and one model. Its token cannot be guessed, so only a user with the URL of the page can
request the result. No result is kept on disk, and no run outlives the server.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ctseg.errors import InputError
from serving.page.work import Cancelled, SeriesRow, Shown, Tell

KEEP_SECONDS = 3600.0
MOST_RESULTS = 8
MOST_BYTES = 2 * 2**30  # total of all results; the newest is always kept


class State(StrEnum):
    """State of a run; all but the first are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Key:
    """Identity of an input: SHA-256 of scan (or "example"), model and own label, and the requested series."""

    scan: str
    model: str
    series_uid: str = ""
    label: str = ""


@dataclass(frozen=True)
class Names:
    """Display names of scan and model, source of the scan (see `controls.SOURCES`), and path of the model."""

    scan: str
    model: str
    source: str
    model_path: str


@dataclass
class Run:
    """One segmentation. `step` is a key of the texts, `fraction` the finished share of this step."""

    token: str
    key: Key
    names: Names
    step: str = "waiting"
    fraction: float = 0.0
    state: State = State.RUNNING
    error: str = ""
    series: tuple[SeriesRow, ...] = ()
    shown: Shown | None = None
    ended: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)


Work = Callable[[Tell, Callable[[tuple[SeriesRow, ...]], None]], Shown]


class Runs:
    """All runs by their tokens. Thread-safe."""

    def __init__(
        self,
        keep_seconds: float = KEEP_SECONDS,
        most_results: int = MOST_RESULTS,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep_seconds, self._most_results, self._most_bytes = keep_seconds, most_results, most_bytes
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def get(self, token: str | None) -> Run | None:
        """Run with a token; None if it is unknown, cancelled or deleted."""
        self.sweep()
        with self._lock:
            return self._runs.get(token or "")

    def start(self, key: Key, names: Names, work: Work) -> Run:
        """Start a run in a new thread.

        `work` receives a function to report each step and its fraction, and one to report the series of the scan. The
        first function raises Cancelled after the run was cancelled.
        """
        run = Run(secrets.token_urlsafe(16), key, names)
        with self._lock:
            self._runs[run.token] = run
        threading.Thread(target=self._work, args=(run, work), daemon=True).start()
        return run

    def cancel(self, run: Run) -> None:
        """Delete a run at once; its thread ends at its next progress report."""
        with self._lock:
            run.stop.set()
            if run.state is State.RUNNING:
                run.state = State.CANCELLED
            self._runs.pop(run.token, None)

    def sweep(self) -> None:
        """Delete results that are too old, and the oldest results above the limits of number and total size."""
        with self._lock:
            ended = [(run.ended, run) for run in self._runs.values() if run.ended is not None]
            used = 0
            for place, (when, run) in enumerate(sorted(ended, key=lambda pair: -pair[0])):
                used += run.shown.size_bytes if run.shown else 0
                too_old = self._clock() - when > self._keep_seconds
                if too_old or place >= self._most_results or (place and used > self._most_bytes):
                    del self._runs[run.token]

    def close(self) -> None:
        """Cancel and delete all runs."""
        for run in list(self._runs.values()):
            self.cancel(run)

    def _work(self, run: Run, work: Work) -> None:
        """Compute a run in its thread and store its result or error."""

        def tell(step: str, fraction: float) -> None:
            if run.stop.is_set():
                raise Cancelled
            run.step, run.fraction = step, min(1.0, max(0.0, fraction))

        def tell_series(rows: tuple[SeriesRow, ...]) -> None:
            run.series = rows

        shown, error = None, ""
        try:
            shown = work(tell, tell_series)
        except Cancelled:
            pass
        except InputError as problem:
            error = str(problem)
        except MemoryError:
            error = "the scan needs more memory than this machine has free"
        except Exception as problem:  # its message may contain header values
            error = f"the scan could not be processed ({type(problem).__name__})"
        with self._lock:
            if run.state is State.RUNNING:
                run.shown, run.error, run.ended = shown, error, self._clock()
                run.state = State.DONE if shown else State.FAILED


RUNS = Runs()
