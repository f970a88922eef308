"""End of processes that a test has started."""

import subprocess


def stop(process: subprocess.Popen, seconds: float = 20) -> None:
    """Terminate a process; kill it if it does not end within `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
