"""Metrics for Prometheus. No label depends on the content of a request."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.service.job import Job
from serving.service.jobs import Jobs
from serving.service.runner import Runner

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Metrics of one server, in a separate Prometheus registry."""

    def __init__(self, jobs: Jobs) -> None:
        """Start all counters at zero; the states of `jobs` are read at each scrape."""
        self.registry = CollectorRegistry()
        self._jobs = jobs
        self._requests = Counter("ctseg_http_requests", "Requests answered", ["code"], registry=self.registry)
        self._ended = Counter("ctseg_jobs_ended", "Segmentations that ended", ["state"], registry=self.registry)
        self._seconds = Histogram(
            "ctseg_job_seconds", "Time of a segmentation", buckets=SECONDS, registry=self.registry
        )
        self._states = Gauge("ctseg_jobs", "Jobs that are kept, by state", ["state"], registry=self.registry)
        self._restarts = Gauge("ctseg_worker_restarts", "Workers started after the first", registry=self.registry)

    def answered(self, code: int) -> None:
        """Count a response by its HTTP status."""
        self._requests.labels(str(code)).inc()

    def ended(self, job: Job) -> None:
        """Count an ended job by its state and record its duration."""
        self._ended.labels(job.state.value).inc()
        if job.seconds is not None:
            self._seconds.observe(job.seconds)

    def text(self, runner: Runner) -> bytes:
        """All metrics in the text format of Prometheus."""
        self._restarts.set(runner.restarts)
        for state, number in self._jobs.count().items():
            self._states.labels(state.value).set(number)
        return generate_latest(self.registry)


class Counting:
    """Counts responses by status. Plain ASGI middleware: Starlette's base class delays each chunk of an upload."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive_more: Receive, send: Send) -> None:
        """Pass the request on and count the status of the response."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["app"].state.service.metrics.answered(message["status"])
            await send(message)

        await self._app(scope, receive_more, counted)
