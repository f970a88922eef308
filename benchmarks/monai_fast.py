"""MONAI's recipe for fast training on a GPU, for comparison in gpu.py.

After Project-MONAI/tutorials, acceleration/fast_training_tutorial.ipynb: all transforms that are not random run once;
their results are cached on the device (CacheDataset, EnsureTyped). A thread cuts random crops there
(RandCropByPosNegLabeld, ThreadDataLoader without workers), four crops of each of four cases per step. The training is
in mixed precision (float16 with a scaled loss), with a U-Net of two residual units and dropout, a loss of half Dice and
half cross-entropy, and SGD with momentum at a learning rate of 0.2. The validation uses windows of 5/3 of the patch, as
the tutorial does (160³ for 96³).
The recipe need not be repeatable, so cuDNN may use the fastest algorithms. The cases are those prepared by ctseg, so
both programs see the same voxels; the preparation of the tutorial (orientation, spacing, crop to the foreground) is
already done. Small cases are padded to a patch.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from monai import transforms as mt
from monai.data import CacheDataset, ThreadDataLoader, set_track_meta
from monai.losses import DiceCELoss
from monai.networks.nets import UNet

from benchmarks.minutes_to_dice import endless, monai_dice

KEYS = ["image", "label"]
CASES, CROPS = 4, 4  # per step: cases, and patches of each case
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.2, 0.9, 4e-5
DROPOUT = 0.2
LOSS: dict[str, Any] = {"include_background": False, "to_onehot_y": True, "softmax": True, "squared_pred": True}
LOSS |= {"batch": True, "lambda_dice": 0.5, "lambda_ce": 0.5}
LOADERS = 8  # threads that fill the cache


def cached(
    files: Sequence[Path], window_hu: tuple[float, float], more: list[mt.Transform], device: torch.device, crop: list
) -> CacheDataset:
    """Data set with the transforms that are not random cached on the device; the transforms `crop` run each time."""
    low, high = window_hu
    fixed = [
        mt.LoadImaged(KEYS),
        mt.EnsureChannelFirstd(KEYS),
        mt.ScaleIntensityRanged(["image"], a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True),
        *more,
        mt.EnsureTyped(KEYS, device=device, track_meta=False),
    ]
    items = [{key: str(folder / f"{key}.nii") for key in KEYS} for folder in files]
    transform = mt.Compose([*fixed, *crop]).set_random_state(0)
    workers = min(LOADERS, os.cpu_count() or 1)
    return CacheDataset(items, transform, num_workers=workers, progress=False, copy_cache=False)


def loaders(
    training: Sequence[Path],
    validation: Sequence[Path],
    window_hu: tuple[float, float],
    patch_xyz: tuple[int, ...],
    device: torch.device,
) -> tuple[Iterator[dict], ThreadDataLoader]:
    """Endless batches of random crops, and a loader of the validation cases."""
    set_track_meta(True)
    crop = mt.RandCropByPosNegLabeld(
        KEYS, "label", patch_xyz, num_samples=CROPS, fg_indices_key="label_fg", bg_indices_key="label_bg"
    )
    places = mt.FgBgToIndicesd("label", fg_postfix="_fg", bg_postfix="_bg", image_key="image")
    cases = cached(training, window_hu, [mt.SpatialPadd(KEYS, patch_xyz), places], device, [crop])
    validating = ThreadDataLoader(cached(validation, window_hu, [], device, []), num_workers=0, batch_size=1)
    set_track_meta(False)  # the cache holds plain tensors; crops need no metadata
    return endless(ThreadDataLoader(cases, num_workers=0, batch_size=CASES, shuffle=True)), validating


def fast_recipe(
    training: Sequence[Path],
    validation: Sequence[Path],
    window_hu: tuple[float, float],
    patch_xyz: tuple[int, ...],
    features: Sequence[int],
    device: torch.device,
) -> tuple[Callable[[], None], Callable[[], float]]:
    """Step and validation functions of the recipe, on case folders with image.nii and label.nii."""
    torch.manual_seed(0)
    batches, validating = loaders(training, validation, window_hu, patch_xyz, device)
    network = UNet(3, 1, 2, features, (2,) * (len(features) - 1), num_res_units=2, norm="batch", dropout=DROPOUT)
    network = network.to(device)
    loss_of = DiceCELoss(**LOSS)
    optimiser = torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    on_gpu = device.type == "cuda"
    scaler = torch.GradScaler(device.type, enabled=on_gpu)
    window = tuple(16 * round(size * 5 / 3 / 16) for size in patch_xyz)

    def step() -> None:
        batch = next(batches)
        network.train()
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.float16, enabled=on_gpu):
            loss = loss_of(network(batch["image"]), batch["label"])
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        loss.item()  # the tutorial prints it

    def dice() -> float:
        with torch.autocast(device.type, torch.float16, enabled=on_gpu):
            return monai_dice(network, validating, window, device)

    return step, dice
