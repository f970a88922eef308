"""Train nnU-Net v2 (3d_fullres) for a set time on one device and segment the validation cases with its weights.

benchmarks/real_ct.py runs it with the Python of a separate environment with nnU-Net:

    python benchmarks/nnunet_timed.py DATA OUT --minutes 30 --at 10 30

DATA contains CASE/image.nii.gz and CASE/label.nii.gz. nnU-Net plans for --memory-gib; with its default of 8, for a GPU,
a step takes 37 s on two cores, with 1 less than 5 s. Plan, network, augmentation, loss and optimiser are those of
nnU-Net. Three points differ from its command line: the learning rate falls over the given time instead of 1000 epochs,
so that it fits the budget; patch validation is left out, so that all time is training; and torch.compile is off. The
segmentations are OUT/MINUTES/CASE.nii.gz; with --mirror they are the mean over mirror images, as nnU-Net does by
default. OUT/curve.json contains steps and seconds. The clock starts after some warm-up steps and stops while weights
are saved; with --step-ms it advances by this time with each step, so that several trainings can share a GPU.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import shutil
import sys
import time
import types
from pathlib import Path
from unittest.mock import MagicMock

DATASET = "Dataset001_ct"
WARM_UP_STEPS = 5  # libraries choose their algorithms and loaders start


def shadow_timm() -> None:
    """Replace timm by mock modules, because it needs a torchvision that matches the installed torch.

    nnU-Net imports timm for transformers, which 3d_fullres does not use.
    """
    for name in ("timm", "timm.layers", "timm.models", "timm.models.eva"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__getattr__ = lambda attribute: MagicMock(name=attribute)  # type: ignore[method-assign]
        sys.modules[name] = module


def link_dataset(data: Path, raw: Path, cases: list[str]) -> None:
    """Write the raw data folder of nnU-Net, with copies of the training cases."""
    (raw / DATASET / "imagesTr").mkdir(parents=True, exist_ok=True)
    (raw / DATASET / "labelsTr").mkdir(exist_ok=True)
    for case in cases:
        shutil.copyfile(data / case / "image.nii.gz", raw / DATASET / "imagesTr" / f"{case}_0000.nii.gz")
        shutil.copyfile(data / case / "label.nii.gz", raw / DATASET / "labelsTr" / f"{case}.nii.gz")
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "target": 1},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }
    (raw / DATASET / "dataset.json").write_text(json.dumps(description))


def train(trainer, minutes: float, at: list[float], step_ms: float | None, out: Path) -> list[dict]:
    """Train and save the weights at each of the minutes `at`; return a row with minutes, seconds and steps for each.

    The learning rate falls over `minutes`; the training ends after the last of `at`.
    """
    import torch

    trainer.on_train_start()
    trainer.network.train()
    for _ in range(WARM_UP_STEPS):
        trainer.train_step(next(trainer.dataloader_train))
    rows, spent_s, steps, left = [], 0.0, 0, sorted(at)
    while left:
        start = time.perf_counter()
        share = min(1.0, spent_s / (60 * minutes))
        for group in trainer.optimizer.param_groups:
            group["lr"] = trainer.initial_lr * (1 - share) ** 0.9
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
        spent_s += step_ms / 1000 if step_ms else time.perf_counter() - start
        if spent_s >= 60 * left[0]:
            rows.append({"minutes": left[0], "seconds": spent_s, "steps": steps})
            torch.save(trainer.network.state_dict(), out / f"{left.pop(0):g}.pt")
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Plan, preprocess, train and segment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--at", type=float, nargs="+", default=[2, 5, 10, 15, 20, 30])
    parser.add_argument("--validation", type=int, default=6, help="how many of the last cases validate")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--memory-gib", type=float, default=1.0, help="that nnU-Net plans for")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that preprocess, and that load patches")
    parser.add_argument("--step-ms", type=float, help="that each step counts, instead of the time it takes")
    parser.add_argument("--mirror", action="store_true", help="segment mirror images, too, as nnU-Net does")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(given.out / "nnunet" / name)
    # The loaders of nnU-Net run in separate processes on the same cores.
    os.environ |= {"nnUNet_n_proc_DA": str(given.workers), "nnUNet_compile": "f", "OMP_NUM_THREADS": "1"}
    shadow_timm()
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    cases = sorted(path.name for path in given.data.iterdir())
    training, validation = cases[: -given.validation], cases[-given.validation :]
    link_dataset(given.data, given.out / "nnunet" / "raw", training)
    extract_fingerprints([1], num_processes=given.workers)
    plan_experiments([1], gpu_memory_target_in_gb=given.memory_gib)
    preprocess([1], configurations=["3d_fullres"], num_processes=[given.workers])
    folder = given.out / "nnunet" / "preprocessed" / DATASET
    plans = json.loads((folder / "nnUNetPlans.json").read_text())
    description = json.loads((folder / "dataset.json").read_text())
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    trainer = nnUNetTrainer(plans | {"continue_training": False}, "3d_fullres", "all", description, device)
    trainer.initialize()
    rows = train(trainer, given.minutes, given.at, given.step_ms, given.out)
    chosen = {key: plans["configurations"]["3d_fullres"][key] for key in ("patch_size", "batch_size", "spacing")}
    (given.out / "curve.json").write_text(json.dumps({"plan": chosen, "rows": rows}, indent=1))
    trainer.set_deep_supervision_enabled(False)
    on_gpu = device.type == "cuda"
    predictor = nnUNetPredictor(use_mirroring=given.mirror, perform_everything_on_device=on_gpu, device=device)
    for row in rows:
        weights = torch.load(given.out / f"{row['minutes']:g}.pt", weights_only=True)
        predictor.manual_initialization(
            trainer.network,
            trainer.plans_manager,
            trainer.configuration_manager,
            [weights],
            description,
            "",
            trainer.inference_allowed_mirroring_axes,
        )
        target = given.out / f"{row['minutes']:g}"
        target.mkdir(exist_ok=True)
        for case in validation:
            image = str(given.data / case / "image.nii.gz")
            predictor.predict_from_files_sequential([[image]], [str(target / case)])
    for child in multiprocessing.active_children():  # the loaders would outlive this process
        child.terminate()


if __name__ == "__main__":
    main()
