"""Command line of ctseg in a separate process, as a user runs it."""

import os
import subprocess
import sys

from places import SCRIPTS


def with_folders(*folders, **variables):
    """Environment variables for a process, with `folders` at the front of PYTHONPATH and further `variables`."""
    search = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": search} | variables


def ctseg(*arguments, folder=None):
    command = [sys.executable, "-m", "ctseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=with_folders(SCRIPTS), cwd=folder)
