"""Notes which functions of the library each job of a workflow calls; Python loads it where its folder is in PYTHONPATH.

TRACED_CODE is the folder of the library's files, TRACED_TO the folder for one file a process: lines of a file of the
library and the first line of a function in it.
"""

import atexit
import inspect
import os
import sys
import threading
from pathlib import Path

CODE, FOLDER = os.environ.get("TRACED_CODE"), os.environ.get("TRACED_TO")
called = set()


def note(frame, event, _argument):
    """Remember a function that begins to run, unless its module is just being imported."""
    code = frame.f_code
    place = (code.co_filename, code.co_firstlineno)
    if event != "call" or place in called or not code.co_filename.startswith(CODE):
        return
    if code.co_flags & inspect.CO_OPTIMIZED and not is_imported(frame):
        called.add(place)


def is_imported(frame):
    """Whether a module of the library is being imported below the frame."""
    while frame := frame.f_back:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(CODE):
            return True
    return False


def write():
    """Leave what was called, under the name of the script that ran."""
    if called:
        lines = [f"{file.removeprefix(CODE)}\t{line}\n" for file, line in sorted(called)]
        Path(FOLDER, f"{Path(sys.argv[0]).name} {os.getpid()}").write_text("".join(lines))


if CODE and FOLDER:
    atexit.register(write)
    threading.setprofile(note)
    sys.setprofile(note)
