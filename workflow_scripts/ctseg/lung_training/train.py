"""Train the lung network: `python -m ctseg.lung_training.train FOLDER`; the same bytes on the same processor."""

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ctseg.errors import InputError
from ctseg.export.model_files import PACKAGES, export_onnx, window_bytes
from ctseg.geometry.hounsfield import Scaling
from ctseg.inference.model_card import InferSettings, ModelCard
from ctseg.lung_training.bodies import draw_body
from ctseg.lung_training.made_cases import MadeCase, central_cases, negative_cases, phantom_cases, real_cases
from ctseg.lung_training.public_scans import CHESTS, WITHOUT_LUNGS
from ctseg.lung_training.random_fields import SPACING_MM
from ctseg.lung_training.real_bodies import read_checked
from ctseg.lungs.network import SMALLEST_LUNG_CM3
from ctseg.lungs.network_file import LUNG_NETWORK
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.architectures import SegmentationModel
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.preprocessing.preparation import Preparation
from ctseg.training.losses import LossSettings
from ctseg.training.patch_sampling import TrainingCase
from ctseg.training.prepared_cases import run_identity, training_hash
from ctseg.training.random_changes import AugmentSettings
from ctseg.training.settings import TrainSettings
from ctseg.training.trainer import Trainer

SEED, VALIDATION_SEED = 1, 2
STAGES = ((8500, 0.004), (3000, 0.0025))  # steps and learning rate of each
THREADS = 2  # another number changes the order of sums, and so the last digits of the weights
LABELS = ("right_lung", "left_lung")
MOST_PLACES = 2000  # per class and case on which patches are centred

NETWORK = NetworkSettings(
    architecture="dynunet",
    channels=(16, 24, 40, 56),
    residual_units=0,
    norm="batch",
    dropout=0.0,
    stem_zyx=(2, 2, 2),
    strides_zyx=((2, 2, 2),) * 3,
    kernels_zyx=((3, 3, 3),) * 4,
    exclusive=True,
)


def settings(steps: int, learning_rate: float) -> TrainSettings:
    """Training settings of a stage of `steps` steps."""
    return TrainSettings(
        steps=steps,
        validate_every=200,
        patience=100,
        learning_rate=learning_rate,
        warmup_steps=50,
        optimiser="adamw",
        schedule="cosine",
        accumulate=1,
        weight_decay=0.01,
        ema_decay=0.99,
        foreground_probability=0.6,
        volume_exponent=0.5,
        precision="float32",
        data_on="disk",
        on_oom="error",
        freeze_encoder=False,
        batch_size=2,
        patch_zyx=(64, 80, 96),
        spacing_xyz_mm=(SPACING_MM,) * 3,
        scaling=Scaling(-1024.0, 600.0, -212.0, 812.0),
        n_classes=len(LABELS),
        seed=SEED,
        network=NETWORK,
        loss=LossSettings("dice_bce", 0.5, True, (1.0, 1.0), True),
        augment=AugmentSettings(
            flip_axes=(), rotate_degrees=12, tilt_degrees=12, scale=0.2, contrast=0.1, shift_hu=20, noise_hu=20
        ),
    )


def training_cases(folder: Path) -> list[TrainingCase]:
    """The cases of the first stage; the real ones among them are made from the public scans in `folder`."""
    chests = [read_checked(folder, scan, with_lungs=True) for scan in CHESTS]
    others = [read_checked(folder, scan, with_lungs=False) for scan in WITHOUT_LUNGS]
    phantoms = [draw_body(np.random.default_rng([SEED, 6, number])) for number in range(16)]
    made = [
        *phantom_cases(SEED, bodies=70, versions=2),
        *real_cases(SEED, chests, versions=80),
        *central_cases(SEED, chests, versions=16),
        *central_cases(SEED + 1, phantoms, versions=2),
        *negative_cases(SEED, 28, others),
    ]
    return prepared(made, SEED)


def further_cases(folder: Path) -> list[TrainingCase]:
    """Further versions of the real chests, which the second stage adds."""
    chests = [read_checked(folder, scan, with_lungs=True) for scan in CHESTS]
    return prepared(real_cases(SEED + 2, chests, versions=40), SEED + 20)


def validation_cases() -> list[TrainingCase]:
    """Phantoms of another seed, on which the best weights are chosen."""
    return prepared(phantom_cases(VALIDATION_SEED, bodies=8, versions=1), VALIDATION_SEED)


def prepared(made: list[MadeCase], seed: int) -> list[TrainingCase]:
    """Simulated cases as training cases."""
    return [
        TrainingCase(
            f"{seed}-{number:03}-{case.kind}",
            case.image_zyx,
            case.sides_zyx,
            find_foreground(case.sides_zyx, len(LABELS), MOST_PLACES, seed),
        )
        for number, case in enumerate(made)
    ]


def card_of(trainer: Trainer, model: SegmentationModel) -> ModelCard:
    """Model card of the lung network."""
    used = trainer.settings
    return ModelCard(
        labels=LABELS,
        preparation=Preparation(used.spacing_xyz_mm, (used.scaling.low_hu, used.scaling.high_hu), "body", 0.0),
        patch_zyx=used.patch_zyx,
        multiple_zyx=used.network.multiple_zyx,
        window_bytes=window_bytes(model, used.patch_zyx),
        infer=InferSettings("large", 0.25),
        threshold=0.5,
        postprocess=PostprocessSettings(SMALLEST_LUNG_CM3 * 1000, True, False),
        n_networks=1,
        training_cases=len(trainer.training),
        training_hash=training_hash(list(trainer.training)),
        versions={name: version(name) for name in PACKAGES},
        network=used.network,
        scaling=used.scaling,
    )


def train(
    added: Sequence[list[TrainingCase]],
    validation: list[TrainingCase],
    stages: Sequence[TrainSettings],
    out: Path,
    work: Path,
) -> None:
    """Train in stages and write the network as ONNX; each stage adds its cases to those of the previous stages.

    An interrupted run resumes from the checkpoints in the folder `work`.
    """
    cases: list[TrainingCase] = []
    weights: dict[str, torch.Tensor] = {}
    for number, (more, used) in enumerate(zip(added, stages, strict=True), start=1):
        cases = [*cases, *more]
        identity = run_identity(training_hash(cases), used, "lung network")
        trainer = Trainer(cases, validation, used, identity, start=partial(_begin, weights))
        trainer.run(work / f"stage{number}" / "checkpoint.pt")
        weights = trainer.best_weights
    trainer.network.load_state_dict(weights)
    model = SegmentationModel([trainer.network.eval()], used.scaling, used.network.exclusive).eval()
    export_onnx(model, card_of(trainer, model), out)


def _begin(weights: dict[str, torch.Tensor], network: nn.Module) -> None:
    """Load the weights of the previous stage, if any, into the network."""
    if weights:
        network.load_state_dict(weights)


def main() -> None:
    """Read the command line, train, export."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, help="the public scans that docs/lung_field.md lists")
    arguments.add_argument("--out", type=Path, default=LUNG_NETWORK, help="where to write the network")
    arguments.add_argument("--work", type=Path, default=Path("results/lung_network"), help="folder of checkpoints")
    given = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(THREADS)
    try:
        added = training_cases(given.folder), further_cases(given.folder)
    except InputError as error:
        sys.exit(f"ctseg: {error}")
    train(added, validation_cases(), [settings(*stage) for stage in STAGES], given.out, given.work)


if __name__ == "__main__":
    main()
