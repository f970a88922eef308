"""Process shared by inference jobs: the first job starts it, and the next ones use its loaded engine and model.

Each job remains a separate job, with its own outputs, log and record. It sends its case to the process over a socket in
a folder that only the user can enter, and waits. The process ends after a given number of cases, or if none came for
some seconds. If it cannot be reached, or dies, a job does its work itself.

Own code, since no library shares a process between jobs of Snakemake: jobs of one Snakemake group have a process each,
and `multiprocessing` shares among the children of one process. With 30 scans of 64³ voxels a case takes a sixth of the
time of a separate job (2 cores; `benchmarks/many_scans.py`), or half of it if the job's own start is counted
(`docs/own_code.md`). `multiprocessing.connection` in place of the socket saves no line: it has no time limit for a
peer that does not connect. `cases_per_job: 1` avoids the shared process.
"""

import hashlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ctseg.errors import InputError
from ctseg.provenance.versions import add_software, software

logger = logging.getLogger(__name__)

IDLE_S = 10.0  # idle time after which the process ends
START_S = 60.0  # limit for its start, on a slow file system
SLOTS = 64  # processes of one kind at a time, hence jobs that may run in parallel
READ_BYTES = 2**16


class NotReached(Exception):
    """The shared process could not be started, or ended without an answer."""


def segment(task: dict[str, Any], cases: int, kind: str) -> str:
    """Segment a case in a process shared by up to `cases` jobs, or in this process; return a text on the result.

    `task` has the fields of `case_task.CaseTask`. Jobs share a process if they run in the same folder with the
    same Python on the same GPU and have the same `kind`. Raises InputError for unusable input.
    """
    if cases > 1:
        try:
            return _shared(task, cases, kind)
        except NotReached as error:
            logger.warning("%s; the case is segmented without a shared process", error)
    from ctseg.inference.case_task import CaseTask, segment_case  # import takes 0.5 s, which sharing saves

    return segment_case(CaseTask(**task))


def _shared(task: dict[str, Any], cases: int, kind: str) -> str:
    """Segment a case in a shared process, as `segment`. Raises NotReached without such a process."""
    # A cluster sets this variable to the job's own GPUs of a machine.
    alike = [kind, str(Path.cwd()), sys.executable, os.environ.get("CUDA_VISIBLE_DEVICES", "")]
    name = hashlib.sha256("\n".join(alike).encode()).hexdigest()[:16]
    with _free_slot(_own_folder(), name) as path:
        try:
            answer = _ask(path, task)
        except NotReached:
            _start(path, cases)
            answer = _ask(path, task)
    if "refused" in answer:
        raise InputError(answer["refused"])
    if "system" in answer:
        raise OSError(*answer["system"])
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    add_software(answer["software"])
    return answer["said"]


def _own_folder() -> Path:
    """The folder of the sockets, accessible only to the user. Raises NotReached if this is impossible."""
    if not hasattr(socket, "AF_UNIX"):
        raise NotReached("this system has no sockets between processes")
    folder = Path(tempfile.gettempdir()) / f"ctseg-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise NotReached(f"{folder}: {error.strerror}") from None
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise NotReached(f"{folder} is not this user's alone")
    return folder


@contextmanager
def _free_slot(folder: Path, name: str) -> Iterator[Path]:
    """Yield the socket path of a process that no other job uses until the block ends. Raises NotReached."""
    import fcntl  # missing on Windows, where jobs share no process

    for slot in range(SLOTS):
        with (folder / f"{name}-{slot}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder / f"{name}-{slot}.sock"
            return
    raise NotReached(f"{SLOTS} processes are at work already")


def _ask(path: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Send a task, wait, and return the answer. Raises NotReached without an answer."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(str(path))
            line.sendall(json.dumps(task).encode() + b"\n")
            answer = b"".join(iter(lambda: line.recv(READ_BYTES), b""))
        except OSError as error:
            raise NotReached(str(error)) from None
    if not answer:
        raise NotReached("the shared process ended without an answer")
    return json.loads(answer)


def _start(path: Path, cases: int) -> None:
    """Start a process that listens at `path`, and wait until it listens. Raises NotReached if it does not."""
    path.unlink(missing_ok=True)
    search = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "ctseg.inference.engine_server", str(path), str(cases)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a signal to this job must not end the work of the next one
        env={**os.environ, "PYTHONPATH": search},
    )
    begun = time.monotonic()
    while not path.exists():
        if process.poll() is not None or time.monotonic() - begun > START_S:
            raise NotReached("the shared process did not start")
        time.sleep(0.01)


def serve(path: Path, cases: int) -> None:
    """Segment up to `cases` cases, one after the other; end if none comes within `IDLE_S`."""
    with socket.socket(socket.AF_UNIX) as door:
        # Bound under another name first, so that a visible socket already accepts connections.
        hidden = path.with_suffix(".new")
        hidden.unlink(missing_ok=True)
        door.bind(str(hidden))
        door.listen()
        door.settimeout(IDLE_S)
        hidden.rename(path)
        try:
            for _ in range(cases):
                line, _ = door.accept()
                with line:
                    line.settimeout(None)
                    line.sendall(json.dumps(_answer(line)).encode())
        except (TimeoutError, ConnectionError):  # no job came, or the job no longer waits
            pass
        finally:
            path.unlink(missing_ok=True)


def _answer(line: socket.socket) -> dict[str, Any]:
    """Do the task received over the connection, and return its result or error."""
    from ctseg.inference.case_task import CaseTask, segment_case

    def still_wanted(done: int, rows: int) -> None:
        if select.select([line], [], [], 0)[0]:  # only the end of the connection can be read
            raise ConnectionAbortedError

    try:
        with line.makefile() as words:
            task = CaseTask(**json.loads(words.readline()))
        return {"said": segment_case(task, still_wanted), "software": software()}
    except InputError as error:
        return {"refused": str(error)}
    except ConnectionError:
        raise
    except OSError as error:
        return {"system": [error.errno, error.strerror, error.filename and str(error.filename)]}
    except Exception:
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
