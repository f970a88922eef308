"""Time of training steps, minutes to a Dice, bitwise repeatability and CPU time of batches, for gpu.py."""

import argparse
import gc
import hashlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_timing import WARM_UP, interleaved, time_block, wait_for  # noqa: E402
from benchmarks.minutes_to_dice import minutes_until, step_and_dice  # noqa: E402
from benchmarks.monai_fast import CASES, CROPS, fast_recipe  # noqa: E402
from benchmarks.prepared_cases import DataSet  # noqa: E402
from ctseg.training.batches import processor_batches  # noqa: E402
from ctseg.training.gpu_batches import DeviceBatches  # noqa: E402
from ctseg.training.gpu_sources import CasesOnDevice  # noqa: E402
from ctseg.training.patch_sampling import PatchSampler  # noqa: E402
from ctseg.training.settings import TrainSettings  # noqa: E402
from ctseg.training.trainer import Trainer  # noqa: E402

MODES = ("free", "as trained", "strict")  # use of deterministic algorithms
STEP_CASES = 8  # in `steps`, where each variant stores its own copy on the GPU
HOST_PATCH = 16  # voxels per edge; so small that the calls dominate the time
HOST_BATCHES = 20


def use(mode: str) -> None:
    """Set torch to any algorithms, to deterministic ones where they exist, or to deterministic ones only (`MODES`)."""
    torch.use_deterministic_algorithms(mode != "free", warn_only=mode == "as trained")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # in all modes


def trainer(data: DataSet, settings: TrainSettings, device: torch.device, most: int | None = None) -> Trainer:
    """Trainer of ctseg, on the first `most` training cases if given."""
    return Trainer(data.training[:most], data.validation, settings, "benchmark", device)


def peak_gib(make: Callable[[], Trainer], device: torch.device) -> float | None:
    """Peak GPU memory of tensors in GiB in some steps of one training, including its cases; None on a CPU."""
    if device.type != "cuda":
        return None
    clear()
    torch.cuda.reset_peak_memory_stats(device)
    alone = make()
    for _ in range(WARM_UP):
        alone._train_step()
    wait_for(device)
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2)


def block(given: argparse.Namespace) -> tuple[int, float, torch.device]:
    """Number of blocks, seconds per block, and device."""
    return given.rounds, given.block, given.device


def clear() -> None:
    """Free the memory of the last training."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measure_steps(data: DataSet, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Table row for each batch size, precision and place of the cases; results are printed at once."""
    use("as trained")
    places = ("gpu", "disk") if given.device.type == "cuda" else ("disk",)
    trainers, peaks = {}, {}
    for batch, precision, place in product(given.batches, ("bfloat16", "tf32", "float32"), places):
        sizes = {"patch_zyx": (given.patch,) * 3, "batch_size": batch, "precision": precision, "data_on": place}
        make = partial(trainer, data, replace(data.settings, **sizes), given.device, STEP_CASES)
        peaks[batch, precision, place] = peak_gib(make, given.device)
        trainers[batch, precision, place] = make()
        print(f"  {batch} patches, {precision}, cases on {place}: {peaks[batch, precision, place]} GiB", flush=True)

    def set_precision(key: tuple[int, str, str]) -> None:
        torch.backends.cudnn.allow_tf32 = key[1] != "float32"  # of all trainers; each sets its own when it is made

    timings = interleaved({key: one._train_step for key, one in trainers.items()}, *block(given), set_precision)
    rows = []
    for key, timing in timings.items():
        row = dict(zip(("batch", "precision", "data_on"), key, strict=True)) | timing.facts()
        plain_ms = timings[key[0], "float32", "disk"].facts()["step_ms"]
        row |= {"patches_per_s": round(1000 * key[0] / row["step_ms"], 2), "peak_gib": peaks[key]}
        rows.append(row | {"times_float32_on_disk": round(plain_ms / row["step_ms"], 2)})
        print(f"  {rows[-1]}", flush=True)
    return rows


def ctseg_training(data: DataSet, given: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], float]]:
    """Step and validation functions of ctseg; its schedule has the number of steps that fit into --minutes."""
    use("as trained")
    timing = time_block(trainer(data, data.settings, given.device)._train_step, given.block, given.device)
    steps = round(60 * given.minutes / timing.step_s[0])
    return step_and_dice(trainer(data, replace(data.settings, steps=steps), given.device))


def monai_training(data: DataSet, given: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], float]]:
    """Step and validation functions of MONAI's recipe, with twice as many features, as in the tutorial."""
    use("free")
    training, validation = ([data.folder / one.case for one in cases] for cases in (data.training, data.validation))
    window = data.settings.scaling.low_hu, data.settings.scaling.high_hu
    features = [2 * count for count in given.channels]
    return fast_recipe(training, validation, window, data.settings.patch_zyx[::-1], features, given.device)


def measure_dice(data: DataSet, given: argparse.Namespace) -> dict[str, Any]:
    """Curve of both programs, minutes to each goal, best and last Dice, and patches per second."""
    patches = {"ctseg": data.settings.batch_size, "monai": min(CASES, len(data.training)) * CROPS}
    result: dict[str, Any] = {}
    for program, make in (("ctseg", ctseg_training), ("monai", monai_training)):
        clear()
        print(f"  {data.name}, {program}", flush=True)
        step, dice = make(data, given)
        rows = minutes_until(math.inf, given.minutes, step, dice, given.every, partial(wait_for, given.device))
        reached = {goal: next((row[0] for row in rows if row[1] >= goal), None) for goal in given.goals}
        result[program] = {
            "minutes_to": reached,
            "best": max(row[1] for row in rows),
            "last": rows[-1][1],
            "patches_per_s": round(patches[program] * rows[-1][2] / (60 * rows[-1][0]), 2),
            "curve": rows,
        }
        print(f"  {result[program]}", flush=True)
        del step, dice
    for goal in given.goals:
        minutes = {program: facts["minutes_to"][goal] for program, facts in result.items()}
        ratio = f": {minutes['monai'] / minutes['ctseg']:.1f} times as long" if all(minutes.values()) else ""
        print(f"  {data.name}, Dice {goal}: minutes {minutes}{ratio}", flush=True)
    return result


def trained_hash(data: DataSet, given: argparse.Namespace) -> str:
    """SHA-256 of the averaged weights after --repeat-steps steps."""
    short = trainer(data, data.settings, given.device)
    for _ in range(given.repeat_steps):
        short._train_step()
    digest = hashlib.sha256()
    for value in short.average.module.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def measure_repeat(data: DataSet, given: argparse.Namespace) -> dict[str, Any]:
    """For each mode: whether two trainings end in the same weights (or the error), and the time of a step."""
    result: dict[str, Any] = {}
    for mode in MODES:
        use(mode)
        try:
            hashes = [trained_hash(data, given) for _ in range(2)]
            result[mode] = {"same": hashes[0] == hashes[1], "sha256": hashes}
        except RuntimeError as error:
            result[mode] = {"error": str(error).splitlines()[0]}
    able = [mode for mode in MODES if "same" in result[mode]]
    steps = {mode: trainer(data, data.settings, given.device)._train_step for mode in able}
    for mode, timing in interleaved(steps, *block(given), use).items():
        result[mode] |= timing.facts()
    for mode in MODES:
        print(f"  {mode}: {result[mode]}", flush=True)
    return result


def measure_host(data: DataSet, given: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU time and operations to make a batch, patch by patch as for a CPU, and all at once as for a GPU.

    Both run on the CPU with tiny patches, so that the time is that of Python and of the calls. On a GPU each operation
    would be at least one kernel.
    """
    settings = replace(data.settings, patch_zyx=(HOST_PATCH,) * 3, batch_size=max(given.batches))
    exponents = settings.foreground_probability, settings.volume_exponent
    sampler = PatchSampler(data.training[:STEP_CASES], *exponents, settings.scaling.low_hu)
    numbers, cpu = range(settings.batch_size), torch.device("cpu")
    source = CasesOnDevice(sampler.cases, cpu)
    makers = {
        "patch by patch": processor_batches(sampler, settings, numbers),
        "at once": DeviceBatches(sampler, source, settings, numbers, cpu),
    }
    rows = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that waiting threads add no CPU time
    for name, make in makers.items():
        seconds, operations = [], 0
        for index in range(HOST_BATCHES):
            start = time.process_time()
            make(index)
            seconds.append(time.process_time() - start)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            make(HOST_BATCHES)
        for event in seen.events():
            inner = any(child.name.startswith("aten::") for child in event.cpu_children)
            operations += event.name.startswith("aten::") and not inner
        rows.append({"batch": name, "host_ms": round(1000 * median(seconds), 2), "operations": operations})
        print(f"  {rows[-1]}", flush=True)
    torch.set_num_threads(threads)
    return rows
