"""From the config's and the plan's plain values to the settings of training."""

from dataclasses import dataclass, fields
from typing import Any

from ctseg.augment import AugmentSettings
from ctseg.network import NetworkSettings
from ctseg.volume import Shape, Triple


@dataclass(frozen=True)
class TrainSettings:
    """How to train; names and meaning as in the section `train` of the config, sizes from the plan."""

    steps: int
    validate_every: int
    patience: int
    learning_rate: float
    warmup_steps: int
    optimiser: str
    schedule: str
    accumulate: int
    loss: str
    weight_decay: float
    ema_decay: float
    dice_weight: float
    foreground_probability: float
    mixed_precision: bool
    batch_size: int
    patch_zyx: Shape
    spacing_xyz_mm: Triple
    window_hu: tuple[float, float]
    threshold: float
    n_classes: int
    seed: int
    network: NetworkSettings
    augment: AugmentSettings


def network_settings(network: dict[str, Any]) -> NetworkSettings:
    """The section `network` of the config."""
    return NetworkSettings(**{**network, "channels": tuple(network["channels"])})


def training_settings(step: dict[str, Any], decisions: dict[str, Any]) -> TrainSettings:
    """All settings of a training run.

    `step` holds the section `train`, `network`, `n_classes`, `seed` and `threshold`; `decisions` is the plan. Each fold
    has a seed of its own, so that the members of an ensemble start from different weights.
    """
    augmentation = {name.name: step[name.name] for name in fields(AugmentSettings)}
    augmentation["flip_axes"] = tuple(augmentation["flip_axes"])
    direct = ("batch_size", "patch_zyx", "spacing_xyz_mm", "window_hu", "seed", "network", "augment")
    return TrainSettings(
        **{field.name: step[field.name] for field in fields(TrainSettings) if field.name not in direct},
        batch_size=decisions["batch_size"]["value"],
        patch_zyx=tuple(reversed(decisions["patch_size"]["value"])),
        spacing_xyz_mm=tuple(decisions["spacing_mm"]["value"]),
        window_hu=tuple(decisions["window_hu"]["value"]),
        seed=1000 * step["seed"] + step["fold"],
        network=network_settings(step["network"]),
        augment=AugmentSettings(**augmentation),
    )
