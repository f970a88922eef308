"""Time of a training step on the CPU: the share of the network, the share of the processor's limit, and variants.

    python benchmarks/training_step.py [--patch 48 48 48] [--batch 2] [--steps 60]

It uses simulated cases and the default network and augmentation. Steps of all variants are interleaved and medians
compared:

* `step` is a whole training step, `network` a step on a fixed batch; their ratio is the share of the network.
* `loader` is the time to make a batch; `made beside` is a step while a thread makes the next batch, as with a GPU or
  many cores.
* `float32` and `bfloat16` are `network` in these precisions, independent of the choice of `auto` on this machine.
* The limit is the rate of one large convolution, forward and backward; torch counts the FLOPs of a step.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.preprocessing.find_foreground import find_foreground  # noqa: E402
from ctseg.preprocessing.plan_network import FEATURES  # noqa: E402
from ctseg.training.batches import Prefetch, Share, batch_maker  # noqa: E402
from ctseg.training.patch_sampling import TrainingCase  # noqa: E402
from ctseg.training.settings import TrainSettings, training_settings  # noqa: E402
from ctseg.training.trainer import Trainer  # noqa: E402

SIZE = 160
BLOCK = 5  # steps of a variant in a row


def make_case(seed: int) -> TrainingCase:
    """Case of 160³ voxels: noise around -700 HU with six balls of 30 HU as class 1."""
    rng = np.random.default_rng(seed)
    image = rng.normal(-700, 60, (SIZE,) * 3).round().astype(np.int16)
    label = np.zeros(image.shape, np.uint8)
    for centre in rng.integers(20, SIZE - 20, (6, 3)):
        z, y, x = np.ogrid[tuple(slice(int(c) - 6, int(c) + 7) for c in centre)]
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 36
        label[z, y, x] |= ball.astype(np.uint8)
    image[label > 0] = 30
    return TrainingCase(str(seed), image, label, find_foreground(label, 1, label.size, 0))


def settings_for(patch: list[int], batch: int) -> TrainSettings:
    """Training settings of the default config, with this patch (x, y, z), batch size, and a fixed network for a CPU."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    plan = {
        "spacing_mm": [2.0] * 3,
        "window_hu": [-1000, 400],
        "scaling_hu": [-300, 700],
        "channels": [FEATURES, 2 * FEATURES, 4 * FEATURES],
        "stem": [2, 2, 2],
        "strides": [[2, 2, 2]] * 2,
        "kernel_sizes": [[3, 3, 3]] * 3,
        "patch_size": patch,
        "batch_size": batch,
    }
    params = {key: config[key] for key in ("train", "network", "augment", "seed")}
    return training_settings(
        params | {"labels": ["nodule"], "fold": 0, "repeat": 0}, {key: {"value": value} for key, value in plan.items()}
    )


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_gflops() -> float:
    """GFLOP/s of a large convolution, forward and backward, in the memory layout of training (channels last)."""
    layer = torch.nn.Conv3d(64, 64, 3, padding=1).to(memory_format=torch.channels_last_3d)
    image = torch.randn(2, 64, 32, 32, 32).contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    flop = 3 * 2 * 2 * 32**3 * 64 * 64 * 27
    times = [seconds(lambda: layer(image).sum().backward()) for _ in range(20)]
    return flop / statistics.median(times[2:]) / 1e9


def compiled(trainer: Trainer) -> Trainer:
    """The trainer with the network compiled."""
    trainer.gradients.forward = torch.compile(trainer.network)
    return trainer


def main() -> None:
    """Time the steps and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch", type=int, nargs=3, default=[48, 48, 48], help="x, y, z")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--compile", action="store_true", help="also time torch.compile, which takes minutes")
    given = parser.parse_args()
    cases = [make_case(seed) for seed in range(4)]
    settings = settings_for(given.patch, given.batch)

    def trainer(**changes: object) -> Trainer:
        return Trainer(cases[:3], cases[3:], replace(settings, **changes), "benchmark")

    whole, beside, fixed = trainer(), trainer(), trainer()
    loader = batch_maker(cases[:3], settings, whole.device, Share())
    whole.batch, beside.batch = loader, Prefetch(loader)
    ready = loader(0)
    fixed.batch = lambda index: ready
    numbers = count()
    parts: dict[str, Callable[[], object]] = {
        "step": whole._train_step,
        "network": fixed._train_step,
        "loader": lambda: loader(next(numbers)),
        "made beside": beside._train_step,
    }
    plain = trainer()
    plain.network.to(memory_format=torch.contiguous_format)
    variants = {"float32": trainer(precision="float32"), "bfloat16": trainer(precision="bfloat16")}
    variants |= {"not channels-last": plain}
    if given.compile:
        variants["torch.compile"] = compiled(trainer())
    for name, variant in variants.items():
        variant.batch = lambda index: ready
        parts[name] = variant._train_step
    times: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(given.steps // BLOCK + 1):
        for name, part in parts.items():
            block = [seconds(part) for _ in range(BLOCK + 1)]
            times[name] += block[1:] if turn else []  # in the first, a thread may still make a batch
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:18} {1000 * median:7.1f} ms  {median / medians['network']:.2f} x network")
    with FlopCounterMode(display=False) as counter:
        fixed._train_step()
    reached, peak = counter.get_total_flops() / medians["step"] / 1e9, peak_gflops()
    print(f"share of the step in the network: {medians['network'] / medians['step']:.1%}")
    print(f"{reached:.0f} GFLOP/s in a step, {peak:.0f} in a large convolution: {reached / peak:.0%} of it")


if __name__ == "__main__":
    main()
