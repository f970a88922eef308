"""Record the functions of the library that each job calls; Python loads this file if its folder is in PYTHONPATH.

TRACED_CODE is the folder of the library. TRACED_TO is the folder for the records, one file per process; each line has a
file of the library and the first line number of a called function.
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
    """Record a function that starts, unless a module of the library is being imported."""
    code = frame.f_code
    place = (code.co_filename, code.co_firstlineno)
    if event != "call" or place in called or not code.co_filename.startswith(CODE):
        return
    if code.co_flags & inspect.CO_OPTIMIZED and not is_imported(frame):
        called.add(place)


def is_imported(frame):
    """Whether a caller of the frame is the import of a module of the library."""
    while frame := frame.f_back:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(CODE):
            return True
    return False


def write():
    """Write the called functions to a file with the name of the script and the process id."""
    if called:
        lines = [f"{file.removeprefix(CODE)}\t{line}\n" for file, line in sorted(called)]
        Path(FOLDER, f"{Path(sys.argv[0]).name} {os.getpid()}").write_text("".join(lines))


if CODE and FOLDER:
    atexit.register(write)
    threading.setprofile(note)
    sys.setprofile(note)
