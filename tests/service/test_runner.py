"""The thread of the runner survives faults of disk and machine, and readiness tells whether it lives."""

import errno
import logging
import multiprocessing
import threading
import time

import pytest

from ctseg.errors import InputError
from serving.service import runner
from serving.service.job import FINAL, Job, Order, State
from serving.service.jobs import Jobs
from serving.service.runner import Runner
from serving.settings import Settings

pytestmark = pytest.mark.timeout(60)


class Worker:
    """Worker in a thread, with the methods of a process; it ends each job as done."""

    pid = 1

    def __init__(self, target, args, daemon):
        self._pipe, self._over = args[0], threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        self._pipe.send(("ready", {}))
        try:
            while not self._over.is_set():
                if self._pipe.poll(0.01):
                    self._pipe.recv()
                    self._pipe.send(("done", None))
        except (EOFError, OSError):
            self._pipe.end()

    def start(self):
        self._thread.start()

    def is_alive(self):
        return self._thread.is_alive()

    def kill(self):
        self._over.set()

    def join(self):
        self._thread.join()


class Machine:
    """What starts workers; `refusals` of its next attempts fail as on a machine without free memory."""

    def __init__(self):
        self.refusals = 0
        self.workers = []

    def Pipe(self):
        ours, theirs = multiprocessing.Pipe()
        return ours, Kept(theirs)

    def Process(self, **given):
        if self.refusals:
            self.refusals -= 1
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        self.workers.append(Worker(**given))
        return self.workers[-1]


class Kept:
    """End of a pipe that the server closes for itself, since a process would have its own."""

    def __init__(self, pipe):
        self.recv, self.send, self.poll = pipe.recv, pipe.send, pipe.poll
        self.end = pipe.close

    def close(self):
        pass


@pytest.fixture
def machine(monkeypatch):
    found = Machine()
    monkeypatch.setattr(runner, "SPAWN", found)
    return found


@pytest.fixture
def started(machine, tmp_path):
    """Jobs and a runner that has started."""
    jobs = Jobs(tmp_path, Settings())
    running = Runner(jobs, Settings(stop_seconds=5), lambda job: None)
    running.start()
    yield jobs, running
    running.stop()


def ended(jobs):
    """A new job, after its end."""
    job = jobs.begin("a", Order())
    jobs.enqueue(job)
    wait_until(lambda: job.state in FINAL)
    return job


def wait_until(happened):
    limit = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_jobs_are_run_although_their_end_cannot_be_recorded(started, monkeypatch):
    jobs, running = started
    write = Job.save

    def refuse(job, state):
        if state is not State.QUEUED:
            raise OSError(errno.EIO, "Input/output error")
        write(job, state)

    monkeypatch.setattr(Job, "save", refuse)
    assert [ended(jobs).state for _ in range(2)] == [State.DONE] * 2
    assert running.ready


def test_a_worker_that_the_machine_does_not_start_is_tried_again(started, machine, monkeypatch, caplog):
    jobs, running = started
    machine.refusals = 1
    with caplog.at_level(logging.ERROR):
        machine.workers[0].kill()
        machine.workers[0].join()
        wait_until(lambda: len(machine.workers) == 2 and running.ready)
        assert ended(jobs).state is State.DONE
    assert "starts no process for the worker (Resource temporarily unavailable)" in caplog.text
    assert running.ready


def test_a_service_whose_worker_does_not_start_says_so(machine, tmp_path):
    machine.refusals = 1
    with pytest.raises(InputError, match="starts no process"):
        Runner(Jobs(tmp_path, Settings()), Settings(), lambda job: None).start()


def test_a_runner_whose_thread_has_ended_is_not_ready(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, "_run", lambda self: None)
    running = Runner(Jobs(tmp_path, Settings()), Settings(), lambda job: None)
    running.start()
    running._thread.join()
    assert not running.ready


def test_the_log_names_no_id(started, caplog):
    jobs, _ = started
    with caplog.at_level(logging.INFO):
        job = ended(jobs)
        wait_until(lambda: "done after" in caplog.text)
    assert job.log_name in caplog.text and job.id not in caplog.text
