"""Timing of training steps and GPU utilisation, for gpu.py."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import torch

WARM_UP = 3  # steps before each block
SAMPLE_S = 1.0  # between readings of the utilisation and before the first one; a reading is a mean over up to 1 s


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def utilisation(device: torch.device) -> Iterator[list[float]]:
    """List of GPU utilisations in percent, read in a thread until the block ends; stays empty on a CPU."""
    percents: list[float] = []
    stop = Event()

    def watch() -> None:
        command = ["nvidia-smi", f"--id=GPU-{torch.cuda.get_device_properties(device).uuid}"]
        command += ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not stop.wait(SAMPLE_S):
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            percents.extend(float(line) for line in answer.stdout.split() if line.isdigit())

    thread = Thread(target=watch, daemon=True)
    if device.type == "cuda" and shutil.which("nvidia-smi"):
        thread.start()
    try:
        yield percents
    finally:
        stop.set()
        if thread.is_alive():
            thread.join()


@dataclass
class Timing:
    """Mean seconds per step of each block, and all readings of the GPU utilisation in percent."""

    step_s: list[float] = field(default_factory=list)
    percents: list[float] = field(default_factory=list)

    def facts(self) -> dict[str, float | None]:
        """Median step time in ms and median utilisation in percent (None without readings)."""
        busy = statistics.median(self.percents) if self.percents else None
        return {"step_ms": round(1000 * statistics.median(self.step_s), 2), "gpu_percent": busy}


def time_block(step: Callable[[], object], seconds: float, device: torch.device) -> Timing:
    """Mean time of the steps in a block of `seconds`, including the work of the device, after `WARM_UP` steps."""
    for _ in range(WARM_UP):
        step()
    wait_for(device)
    with utilisation(device) as percents:
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            step()
            count += 1
        wait_for(device)
        mean_s = (time.perf_counter() - start) / count
    return Timing([mean_s], percents)


def interleaved(
    steps: dict[Any, Callable[[], object]],
    rounds: int,
    seconds: float,
    device: torch.device,
    before: Callable[[Any], object] = lambda key: None,
) -> dict[Any, Timing]:
    """Timings of interleaved blocks of all steps; the first round is discarded. `before(key)` is called before each."""
    timings = {key: Timing() for key in steps}
    for turn in range(rounds + 1):
        for key, step in steps.items():
            before(key)
            block = time_block(step, seconds, device)
            if turn:
                timings[key].step_s += block.step_s
                timings[key].percents += block.percents
    return timings
