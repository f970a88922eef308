"""Processes that a test starts and has to end."""

import subprocess


def stop(process: subprocess.Popen, seconds: float = 20) -> None:
    """End a process, by force where it does not end by itself."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
