"""Minutes of training until validation Dice reaches a goal: ctseg against MONAI's spleen tutorial.

    make demo
    python benchmarks/minutes_to_dice.py results/phantom [--dice 0.85] [--limit 30] [--device cpu]

Both use the converted scans and the split of the demo, and the same 2 mm voxels and HU window. The tutorial's loop, as
it is usually copied: CacheDataset with dict transforms, RandCropByPosNegLabeld of 96³ with four samples per scan, a
U-Net of 16…256 features with two residual units, Dice loss over a softmax, Adam at 1e-4. ctseg: the training settings
of the demo, with a schedule over more steps. The clock counts only training; validation runs after each minute. Each
program stops at the goal or the limit. Both use the GPU if it exists; there ctseg trains in bfloat16 by default, the
tutorial in float32.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.training.prepared_cases import read_cases  # noqa: E402
from ctseg.training.settings import training_settings  # noqa: E402
from ctseg.training.trainer import Trainer  # noqa: E402

STEPS_WITHOUT_END = 20_000  # length of the learning rate schedule


def minutes_until(
    goal: float,
    limit: float,
    step: Callable[[], object],
    dice: Callable[[], float],
    every_s: float = 60,
    wait: Callable[[], object] = lambda: None,
) -> list[list[float]]:
    """Rows [minutes trained, validation Dice, steps], one every `every_s` seconds, until the goal or the limit.

    `limit` is in minutes. `wait` returns when the device has finished all steps; the clock stops after it.
    """
    rows: list[list[float]] = []
    spent_s, steps = 0.0, 0
    while not rows or (rows[-1][1] < goal and spent_s < 60 * limit):
        start = time.perf_counter()
        while time.perf_counter() - start < every_s:
            step()
            steps += 1
        wait()
        spent_s += time.perf_counter() - start
        rows.append([round(spent_s / 60, 3), dice(), steps])
        print(f"  {rows[-1][0]:6.2f} min  Dice {rows[-1][1]:.3f}", flush=True)
    return rows


def endless(loader: Iterable[dict]) -> Iterator[dict]:
    """Batches of a loader, repeated without end."""
    while True:
        yield from loader


def monai_dice(
    network: torch.nn.Module, loader: Iterable[dict], window: tuple[int, ...], device: torch.device
) -> float:
    """Mean foreground Dice by the sliding window and metric of MONAI, as in the validation of its tutorials."""
    from monai.data import decollate_batch
    from monai.inferers import sliding_window_inference
    from monai.metrics import DiceMetric
    from monai.transforms import AsDiscrete

    network.eval()
    metric = DiceMetric(include_background=False)
    to_pred, to_label = AsDiscrete(argmax=True, to_onehot=2), AsDiscrete(to_onehot=2)
    with torch.no_grad():
        for batch in loader:
            found = sliding_window_inference(batch["image"].to(device), window, 4, network)
            found = [to_pred(one) for one in decollate_batch(found)]
            metric(found, [to_label(one) for one in decollate_batch(batch["label"].to(device))])
    return float(np.mean(metric.aggregate().item()))


def step_and_dice(trainer: Trainer) -> tuple[Callable[[], None], Callable[[], float]]:
    """Step and validation functions of a ctseg trainer."""

    def dice() -> float:
        trainer.average.eval()
        return trainer._validation_dice()

    return trainer._train_step, dice


def ctseg(results: Path, names: dict[str, list[str]], device: torch.device) -> tuple[Callable, Callable]:
    """Step and validation functions of ctseg on the demo; `names` are the cases of `train` and `val`."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    params = {key: config[key] for key in ("train", "network", "augment", "seed")}
    params["train"] |= {"steps": STEPS_WITHOUT_END}
    plan = json.loads((results / "plan.json").read_text())
    settings = training_settings(params | {"labels": ["nodule"], "fold": 0, "repeat": 0}, plan)
    training, validation = (read_cases(results / "preprocessed", names[split]) for split in ("train", "val"))
    return step_and_dice(Trainer(training, validation, settings, "benchmark", device))


def tutorial(results: Path, names: dict[str, list[str]], device: torch.device) -> tuple[Callable, Callable]:
    """Step and validation functions of MONAI's tutorial on the demo; `names` are the cases of `train` and `val`."""
    from monai import transforms as mt
    from monai.data import CacheDataset, DataLoader
    from monai.losses import DiceLoss
    from monai.networks.nets import UNet
    from monai.utils import set_determinism

    set_determinism(seed=0)
    keys = ["image", "label"]
    common = [
        mt.LoadImaged(keys=keys),
        mt.EnsureChannelFirstd(keys=keys),
        mt.ScaleIntensityRanged(keys=["image"], a_min=-1000, a_max=400, b_min=0.0, b_max=1.0, clip=True),
        mt.CropForegroundd(keys=keys, source_key="image"),
        mt.Orientationd(keys=keys, axcodes="RAS"),
        mt.Spacingd(keys=keys, pixdim=(2.0, 2.0, 2.0), mode=("bilinear", "nearest")),
    ]
    crop = mt.RandCropByPosNegLabeld(
        keys=keys, label_key="label", spatial_size=(96, 96, 96), pos=1, neg=1, num_samples=4, image_key="image"
    )
    pad = mt.SpatialPadd(keys=keys, spatial_size=(96, 96, 96))
    files = {
        split: [
            {"image": str(results / "images" / f"{name}.nii.gz"), "label": str(results / "labels" / f"{name}.nii.gz")}
            for name in names[split]
        ]
        for split in ("train", "val")
    }
    training = CacheDataset(files["train"], mt.Compose([*common, pad, crop]), cache_rate=1.0, progress=False)
    validating = CacheDataset(files["val"], mt.Compose(common), cache_rate=1.0, progress=False)
    loader = DataLoader(training, batch_size=2, shuffle=True, num_workers=0)
    network = UNet(3, 1, 2, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2, norm="batch").to(device)
    loss_of = DiceLoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)
    batches = endless(loader)

    def step() -> None:
        batch = next(batches)
        network.train()
        optimiser.zero_grad()
        loss_of(network(batch["image"].to(device)), batch["label"].to(device)).backward()
        optimiser.step()

    def dice() -> float:
        return monai_dice(network, DataLoader(validating, batch_size=1), (96, 96, 96), device)

    return step, dice


def main() -> None:
    """Train both and print the minutes and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--dice", type=float, default=0.85)
    parser.add_argument("--limit", type=float, default=30, help="minutes of training at most, for each")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    validating = {path.stem for path in (given.results / "out_of_fold").glob("*.tsv")}
    prepared = sorted(path.name for path in (given.results / "preprocessed").iterdir())
    names = {"val": sorted(validating), "train": [name for name in prepared if name not in validating]}
    device = torch.device(given.device)
    last = {}
    for program, make in (("ctseg", ctseg), ("tutorial", tutorial)):
        print(program, flush=True)
        step, dice = make(given.results, names, device)
        last[program] = minutes_until(given.dice, given.limit, step, dice)[-1]
    for program, (minutes, dice, _) in last.items():
        reached = "reached" if dice >= given.dice else "not reached"
        print(f"{program:10} {minutes:6.2f} min, Dice {dice:.3f}: {given.dice} {reached}")
    print(f"ratio of minutes: {last['tutorial'][0] / last['ctseg'][0]:.1f}")


if __name__ == "__main__":
    main()
