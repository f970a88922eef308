"""Settings of training, made from the plain values of the config and the plan."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ctseg.decisions import Stored, decided
from ctseg.geometry.hounsfield import Scaling
from ctseg.geometry.volume import Shape, Triple
from ctseg.network.kinds import resolved
from ctseg.network.settings import NetworkSettings
from ctseg.training.losses import LossSettings
from ctseg.training.random_changes import AugmentSettings


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training run; names and meanings as in the section `train` of the config, sizes from the plan."""

    steps: int
    validate_every: int
    patience: int
    learning_rate: float
    warmup_steps: int
    optimiser: str
    schedule: str
    accumulate: int
    weight_decay: float
    ema_decay: float
    foreground_probability: float
    volume_exponent: float
    precision: str
    data_on: str
    on_oom: str
    freeze_encoder: bool
    batch_size: int
    patch_zyx: Shape
    spacing_xyz_mm: Triple
    scaling: Scaling
    n_classes: int
    seed: int
    network: NetworkSettings
    loss: LossSettings
    augment: AugmentSettings

    def smaller(self) -> "TrainSettings | None":
        """Settings that need less memory: half the batch, or for a single patch two thirds of its longest side.

        Half the batch doubles `accumulate`, so that a step has about as many patches. None if no side can be shortened.
        """
        if self.batch_size > 1:
            return replace(self, batch_size=self.batch_size // 2, accumulate=self.accumulate * 2)
        sizes, multiples = list(self.patch_zyx), self.network.multiple_zyx
        able = [axis for axis in range(3) if sizes[axis] >= 3 * multiples[axis]]
        if not able:
            return None
        longest = max(able, key=lambda axis: sizes[axis])
        multiple = multiples[longest]
        sizes[longest] = max(2 * multiple, sizes[longest] * 2 // 3 // multiple * multiple)
        return replace(self, patch_zyx=(sizes[0], sizes[1], sizes[2]))


def sizes_text(settings: TrainSettings) -> str:
    """Size of batches and patches in words."""
    return f"batches of {settings.batch_size} patches of {list(reversed(settings.patch_zyx))} voxels"


def memory_advice(settings: TrainSettings, processes: int = 1) -> str:
    """Message with advice for the config if the GPU, or one of those of `processes`, has too little memory."""
    problem = f"the GPU has too little memory for {sizes_text(settings)}"
    smaller = settings.smaller()
    if smaller is None or smaller.batch_size % processes:
        return f"{problem}; use fewer network.channels, a smaller plan.patch_size, or another GPU"
    if smaller.batch_size < settings.batch_size:
        advice = (
            f"plan.batch_size to {smaller.batch_size}, and train.accumulate to {smaller.accumulate} for the same effect"
        )
    else:
        advice = f"plan.patch_size to {list(reversed(smaller.patch_zyx))}, or use fewer network.channels"
    return f"{problem}; set {advice}" + (", or train.on_oom to shrink" if processes == 1 else "")


def scaling_of(decisions: Stored) -> Scaling:
    """HU window and scaling of the network's input as decided by the plan."""
    return Scaling(*map(float, (*decided(decisions, "window_hu"), *decided(decisions, "scaling_hu"))))


def network_settings(network: dict[str, Any], decisions: Stored) -> NetworkSettings:
    """Network settings from the section `network` of the config and the decisions of the plan."""
    network = resolved(network)
    direct = {key: network[key] for key in ("residual_units", "norm", "dropout", "architecture", "deep_supervision")}
    return NetworkSettings(
        **direct,
        exclusive=network["exclusive"],
        channels=tuple(decided(decisions, "channels")),
        stem_zyx=_reversed(decided(decisions, "stem")),
        strides_zyx=tuple(_reversed(stride) for stride in decided(decisions, "strides")),
        kernels_zyx=tuple(_reversed(kernel) for kernel in decided(decisions, "kernel_sizes")),
    )


def training_settings(params: dict[str, Any], decisions: Stored) -> TrainSettings:
    """Complete settings of a training run.

    `params` holds the sections `train`, `network` and `augment`, the names of the labels, and fold, repeat and
    seed; `decisions` is the plan. Each fold and repeat has its own seed, so that the members of an ensemble start from
    different weights.
    """
    train, augmentation = params["train"], params["augment"]
    names = {field.name for field in fields(TrainSettings)}
    return TrainSettings(
        **{key: value for key, value in train.items() if key in names and key != "loss"},
        batch_size=decided(decisions, "batch_size"),
        patch_zyx=_reversed(decided(decisions, "patch_size")),
        spacing_xyz_mm=tuple(decided(decisions, "spacing_mm")),
        scaling=scaling_of(decisions),
        n_classes=len(params["labels"]),
        seed=1000 * params["seed"] + params["fold"] + 100 * params["repeat"],
        network=network_settings(params["network"], decisions),
        loss=LossSettings(
            train["loss"],
            train["dice_weight"],
            train["batch_dice"],
            tuple(train["class_weights"].get(label, 1.0) for label in params["labels"]),
            params["network"]["exclusive"],
        ),
        augment=AugmentSettings(**augmentation | {"flip_axes": tuple(augmentation["flip_axes"])}),
    )


def _reversed(sizes: Sequence[int]) -> tuple[int, int, int]:
    """Sizes in the order z, y, x, from x, y, z."""
    x, y, z = sizes
    return z, y, x
