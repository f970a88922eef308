"""The command line, as a user runs it."""

import os
import subprocess
import sys

from places import SCRIPTS


def ctseg(*arguments, folder=None):
    command = [sys.executable, "-m", "ctseg", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
