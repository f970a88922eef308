"""Ablation of the training recipe: several recipes on the same cases, for the same time on one device.

    python benchmarks/recipes.py OUT --data DATA [--recipes benchmarks/recipes.yaml] [--names NAME ...] [--seconds 110]
        [--seeds 1 2]

DATA contains CASE/image.nii.gz and CASE/label.nii.gz (label 1). The last --validation cases validate; the others train.
A recipe is a name and the sections of the config that differ from --study. Each recipe trains in a separate process,
all at the same time: a GPU shares its time equally among busy processes, so with n recipes each gets --seconds / n of
GPU time. With --at-once 1 the recipes train one after the other, each for --seconds. The learning rate falls over
--seconds, including validations. OUT/recipes.json has the final Dice of each validation case on the network's grid:
`plain`; `mirrored`, with the mean over all mirror images; `largest`, of the largest component of `mirrored` alone; and
`mass`, of the component with the largest sum of probabilities. Each recipe is trained once with each seed, and
OUT/ensembles.json contains the Dice of the mean of the first one, two, three, … networks of a recipe, mirrored.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as in training; CUDA reads it when it starts

import cc3d
import numpy as np
import torch
import yaml
from monai.inferers import sliding_window_inference

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_timing import wait_for  # noqa: E402
from benchmarks.prepared_cases import data_set, workers  # noqa: E402
from ctseg.masks.overlap import dice_of_masks  # noqa: E402
from ctseg.scans.nifti import read_nifti  # noqa: E402
from ctseg.training.trainer import Trainer  # noqa: E402
from ctseg.training.validation import GPU_BATCH_SIZE  # noqa: E402

OVERLAP = 0.5
THRESHOLD = 0.5
PACE_STEPS = 20  # between estimates of the number of steps that fit into the time


def parse() -> argparse.Namespace:
    """Parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipes", type=Path, default=ROOT / "benchmarks" / "recipes.yaml")
    parser.add_argument("--names", nargs="+", help="some of the recipes")
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "soft_tissue_sarcoma.yaml")
    parser.add_argument("--seconds", type=float, default=110.0)
    parser.add_argument("--validation", type=int, default=10)
    parser.add_argument("--validations", type=int, default=4, help="while a recipe trains")
    parser.add_argument("--at-once", type=int, default=99)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def config_of(recipe: dict[str, Any], study: Path, seed: int) -> dict[str, Any]:
    """Default config, overridden by the study, overridden by the recipe and the seed."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for own in (yaml.safe_load(study.read_text()), recipe):
        config |= {key: {**config[key], **value} for key, value in own.items() if isinstance(value, dict)}
    return config | {"seed": seed}


def train_for(trainer: Trainer, seconds: float, validations: int) -> list[dict[str, float]]:
    """Train for `seconds`, over which the learning rate falls; return the curve, a list of `row`s."""
    start = time.perf_counter()
    curve: list[dict[str, float]] = []
    while (spent := time.perf_counter() - start) < seconds:
        if trainer.step and trainer.step % PACE_STEPS == 0:
            wait_for(trainer.device)
            spent = time.perf_counter() - start
            trainer.settings = replace(
                trainer.settings, steps=max(trainer.step + 1, int(trainer.step * seconds / spent))
            )
        if spent >= seconds * (len(curve) + 1) / validations:
            curve.append(row(trainer, spent))
        trainer._train_step()
    return [*curve, row(trainer, seconds)]


def row(trainer: Trainer, spent: float) -> dict[str, float]:
    """Row of the curve: seconds, step, mean training loss, and validation Dice."""
    trainer.average.eval()
    loss, trainer.losses = trainer._mean_loss(), []
    found = {"seconds": round(spent, 1), "step": trainer.step, "loss": loss, "dice": trainer._validation_dice()}
    print(f"  {os.getpid()} {found}", flush=True)
    return found


def mean_probability(trainer: Trainer, image: torch.Tensor, mirrors: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Mean probability [z, y, x] over mirror images of HU [1, 1, z, y, x]; `mirrors` are the flipped axes of each."""
    patch, total = trainer.settings.patch_zyx, torch.zeros(1, device=trainer.device)
    lower = {"enabled": trainer.autocast is not None, "dtype": trainer.autocast}
    for axes in mirrors:
        with torch.inference_mode(), torch.autocast(trainer.device.type, **lower):
            flipped = image.flip(axes) if axes else image
            found = sliding_window_inference(
                flipped, patch, GPU_BATCH_SIZE, trainer.model, OVERLAP, "gaussian", cval=trainer.settings.scaling.low_hu
            )
        total = total + (found.flip(axes) if axes else found).float()
    return (total / len(mirrors))[0, 0].cpu().numpy()


def case_scores(trainer: Trainer, folder: Path) -> dict[str, dict[str, float]]:
    """Dice of each validation case by each method (see above); saves the mirrored probabilities in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mirrors = [axes for count in range(4) for axes in combinations((2, 3, 4), count)]
    scores: dict[str, dict[str, float]] = {"plain": {}, "mirrored": {}, "largest": {}, "mass": {}}
    for case in trainer.validation:
        image = torch.from_numpy(np.array(case.image_zyx, dtype=np.float32))[None, None].to(trainer.device)
        reference = np.asarray(case.label_zyx) == 1
        masks = {"plain": mean_probability(trainer, image, mirrors[:1]) > THRESHOLD}
        probability = mean_probability(trainer, image, mirrors)
        masks["mirrored"] = probability > THRESHOLD
        np.save(folder / f"{case.case}.npy", probability.astype(np.float16))
        components = cc3d.connected_components(masks["mirrored"])
        for name, weights in (("largest", None), ("mass", probability.ravel())):
            sizes = np.bincount(components.ravel(), weights)
            sizes[0] = 0
            masks[name] = (components == sizes.argmax()) & masks["mirrored"]
        for name, mask in masks.items():
            scores[name][case.case] = round(dice_of_masks(reference, mask), 4)
    return scores


def train_recipe(name: str, recipe: dict[str, Any], seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Prepare the cases with the plan of a recipe, train, and measure; runs in a separate process.

    `name` is the name of the recipe and the seed, as NAME_SEED.
    """
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // given.at_once))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    cases = sorted(path.parent for path in given.data.glob("*/image.nii.gz"))
    with workers(1) as run:
        data = data_set(name, cases, config_of(recipe, given.study, seed), given, run)
    trainer = Trainer(data.training, data.validation, data.settings, name, given.device)
    for _ in range(3):  # warm-up: the choice of algorithms and compilation are not counted
        trainer._train_step()
    wait_for(trainer.device)
    curve = train_for(trainer, given.seconds, given.validations)
    scores = case_scores(trainer, given.out / f"{name}_probabilities")
    patches = data.settings.batch_size * trainer.step
    return {"curve": curve, "cases": scores, "patches": patches, "patch_zyx": data.settings.patch_zyx}


def ensemble_scores(names: Sequence[str], out: Path) -> dict[int, dict[str, float]]:
    """Dice of each validation case with the mean of the first 1, 2, 3, … of these trained networks, by their number."""
    folders = [out / f"{name}_probabilities" for name in names]
    scores: dict[int, dict[str, float]] = {}
    if not names:
        return scores
    for path in sorted(folders[0].glob("*.npy")):
        label = read_nifti(out / f"{names[0]}_prepared" / path.stem / "label.nii").voxels_zyx
        total = np.zeros(label.shape, dtype=np.float32)
        for count, folder in enumerate(folders, start=1):
            total += np.load(folder / path.name)
            scores.setdefault(count, {})[path.stem] = round(dice_of_masks(label == 1, total > THRESHOLD * count), 4)
    return scores


def main() -> None:
    """Train all recipes with all seeds, write the JSON files, and print the means."""
    given = parse()
    given.out.mkdir(parents=True, exist_ok=True)
    recipes = yaml.safe_load(given.recipes.read_text())
    recipes = {name: recipes[name] for name in given.names or recipes}
    jobs = {f"{name}_{seed}": (recipe, seed) for seed in given.seeds for name, recipe in recipes.items()}
    given.at_once = min(given.at_once, len(jobs))
    with get_context("spawn").Pool(given.at_once, maxtasksperchild=1) as pool:
        pending = {name: pool.apply_async(partial(train_recipe, name, *job, given)) for name, job in jobs.items()}
        results = {}
        for name, answer in pending.items():
            try:
                results[name] = answer.get()
            except Exception as error:  # the results of the other recipes must not be lost
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                continue
            (given.out / "recipes.json").write_text(json.dumps(results, indent=1))
    for name, result in results.items():
        means = {way: round(fmean(cases.values()), 4) for way, cases in result["cases"].items()}
        print(f"{name}: {result['curve'][-1]['step']} steps, {result['patches']} patches, Dice {means}")
    ensembles = {
        recipe: ensemble_scores([name for seed in given.seeds if (name := f"{recipe}_{seed}") in results], given.out)
        for recipe in recipes
    }
    (given.out / "ensembles.json").write_text(json.dumps(ensembles, indent=1))
    for recipe, scores in ensembles.items():
        print(f"{recipe}: " + ", ".join(f"{n} together {fmean(cases.values()):.4f}" for n, cases in scores.items()))


if __name__ == "__main__":
    main()
