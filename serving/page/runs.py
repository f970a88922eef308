"""Segmentations of the page: they run in the background, and their results are kept in memory for a while.

A run belongs to one input and one model. Its token cannot be guessed, so that a result can be asked for by who has the
page's address alone. Nothing of a run is written to disk, and nothing outlives the server.
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
MOST_BYTES = 2 * 2**30  # of all results together; the newest one is kept in any case


class State(StrEnum):
    """State of a run; all but the first are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Key:
    """What a result belongs to: the SHA-256 of scan, own label and model, and the series asked for."""

    scan: str
    model: str
    series_uid: str = ""
    label: str = ""


@dataclass(frozen=True)
class Names:
    """What people know a run by: the scan's and the model's name; where the scan came from; the path of the model."""

    scan: str
    model: str
    source: str
    model_path: str


@dataclass
class Run:
    """One segmentation. `step` is a key of the texts, `fraction` the share of it that is done."""

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
        """The run of a token, unless it is unknown, cancelled or too old."""
        self.sweep()
        with self._lock:
            return self._runs.get(token or "")

    def start(self, key: Key, names: Names, work: Work) -> Run:
        """Begin a run in a thread of its own.

        `work` is given a function that it calls with each step and its fraction, and one for the series of the scan;
        the former raises Cancelled once nobody wants the result any more.
        """
        run = Run(secrets.token_urlsafe(16), key, names)
        with self._lock:
            self._runs[run.token] = run
        threading.Thread(target=self._work, args=(run, work), daemon=True).start()
        return run

    def cancel(self, run: Run) -> None:
        """Forget a run at once; its thread ends at the next step that it tells."""
        with self._lock:
            run.stop.set()
            if run.state is State.RUNNING:
                run.state = State.CANCELLED
            self._runs.pop(run.token, None)

    def sweep(self) -> None:
        """Forget results that are too old, and the oldest ones of too many or too large ones."""
        with self._lock:
            ended = [(run.ended, run) for run in self._runs.values() if run.ended is not None]
            used = 0
            for place, (when, run) in enumerate(sorted(ended, key=lambda pair: -pair[0])):
                used += run.shown.size_bytes if run.shown else 0
                too_old = self._clock() - when > self._keep_seconds
                if too_old or place >= self._most_results or (place and used > self._most_bytes):
                    del self._runs[run.token]

    def close(self) -> None:
        """Cancel and forget everything."""
        for run in list(self._runs.values()):
            self.cancel(run)

    def _work(self, run: Run, work: Work) -> None:
        """Compute a run in its thread, and note how it ended."""

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
        except Exception as problem:  # of an odd scan or a model; its message may hold values of the header
            error = f"the scan could not be processed ({type(problem).__name__})"
        with self._lock:
            if run.state is State.RUNNING:
                run.shown, run.error, run.ended = shown, error, self._clock()
                run.state = State.DONE if shown else State.FAILED


RUNS = Runs()
