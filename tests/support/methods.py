"""Methods text of a small study."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import yaml

import cards
from ctseg.report.methods_text import methods
from places import ROOT
from studies import merged

COHORT = pd.DataFrame({"patient": [0, 0, 1, 2], "split": ["train", "train", "val", "test"]})
PLAN = {"spacing_mm": [2.0, 2.0, 1.5], "window_hu": [-1000.0, 400.0], "patch_size": [48, 48, 32], "batch_size": 2}
PLAN |= {"channels": [16, 32, 64], "stem": [2, 2, 1], "region": "lungs"}
POSTPROCESSING = {"threshold": 0.4, "min_volume_mm3": 30.0, "keep_largest": False, "restrict_to_region": True}
INFER = {"window": "patch", "overlap": 0.5, "precision": "float32", "mirror_axes": ""}
CARD = replace(
    cards.CARD,
    versions={"monai": "1.6.1", "torch": "2.13.0"},
    labels=("nodule",),
    training_cases=12,
    preparation=replace(cards.CARD.preparation, spacing_xyz_mm=(1.5, 1.5, 2.0)),
)


def methods_of(
    changes: dict[str, Any] | None = None, given: bool = False, trained_steps: Sequence[int] = ()
) -> tuple[str, list[str]]:
    """Text and references of the study with some changed keys of the config, or, if `given`, with a given model."""
    config = merged(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")), changes or {})
    parts = {"plan": PLAN, "postprocessing": POSTPROCESSING, "inference": INFER}
    made = {
        name: {key: {"value": value, "reason": ""} for key, value in part.items()}
        for name, part in parts.items()
        if name != "plan" or not given
    }
    paragraphs, references = methods(config, made, COHORT, CARD, not given, trained_steps)
    return " ".join(paragraphs), references
