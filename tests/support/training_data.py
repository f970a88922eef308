"""Small cases for tests of sampling and training."""

import hashlib

import numpy as np
import pytest

from ctseg.geometry.hounsfield import Scaling
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.training.history import History
from ctseg.training.losses import LossSettings
from ctseg.training.patch_sampling import TrainingCase
from ctseg.training.random_changes import AugmentSettings
from ctseg.training.settings import TrainSettings
from ctseg.training.trainer import Trainer


def make_case(seed, size=20, radius=4, second_class=False):
    """Case with noise around −500 HU, a ball of 100 HU (class 1), and optionally a single voxel of class 2."""
    rng = np.random.default_rng(seed)
    image = (-500 + 30 * rng.standard_normal((size, size, size))).round().astype(np.int16)
    centre = size / 2 + rng.uniform(-size / 8, size / 8, 3)
    distance = np.linalg.norm(np.indices(image.shape) - centre[:, None, None, None], axis=0)
    label = (distance < radius).astype(np.uint8)
    image[label > 0] = 100
    if second_class:
        label[tuple(centre.astype(int))] = 2
    return TrainingCase(f"case-{seed}", image, label, find_foreground(label, 2 if second_class else 1, label.size, 0))


LEVELS = ((2, 2, 2),), ((3, 3, 3),) * 2
SETTINGS = TrainSettings(
    steps=12,
    validate_every=4,
    patience=5,
    learning_rate=0.01,
    warmup_steps=2,
    weight_decay=1e-5,
    ema_decay=0.9,
    optimiser="adamw",
    schedule="cosine",
    accumulate=1,
    foreground_probability=0.7,
    volume_exponent=0.5,
    precision="float32",
    data_on="auto",
    on_oom="error",
    freeze_encoder=False,
    batch_size=2,
    patch_zyx=(8, 8, 8),
    spacing_xyz_mm=(1, 1, 1),
    scaling=Scaling.of_window(-1000, 400),
    n_classes=1,
    seed=1,
    network=NetworkSettings((4, 8), 1, "instance", 0.1, *LEVELS),
    loss=LossSettings("dice_bce", 0.5, batch_dice=True, class_weights=(), exclusive=False),
    augment=AugmentSettings(("x",), 15, 0, 0.1, noise_hu=10, shift_hu=10),
)


def trainer(settings=SETTINGS, identity="a"):
    """Trainer with two training cases and one validation case."""
    return Trainer([make_case(0), make_case(1)], [make_case(2)], settings, identity)


def digest(weights):
    """SHA-256 of all weights, in order."""
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in weights.values())).hexdigest()


def after(*dice):
    """History with these validation Dice values at steps 1, 2, …"""
    history = History()
    for step, value in enumerate(dice, start=1):
        history.add(step, 0.5, 0.01, value, training_dice=0.9)
    return history


def killed_and_resumed(make, checkpoint):
    """Trainer of a run interrupted at step 7, between two validations, and resumed; `make` returns a new trainer."""
    killed = make()
    train_step = killed._train_step

    def die_at_step_7():
        if killed.step == 7:
            raise KeyboardInterrupt
        train_step()

    killed._train_step = die_at_step_7
    with pytest.raises(KeyboardInterrupt):
        killed.run(checkpoint, progress=False)
    resumed = make()
    resumed.run(checkpoint, progress=False)
    return resumed
