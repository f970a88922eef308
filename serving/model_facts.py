"""What people should know of a model before they use it: its name, its targets, and what it was trained on."""

import json
from dataclasses import dataclass
from pathlib import Path

from ctseg.file_hash import sha256_of
from ctseg.inference.model_card import ModelCard

PROVENANCE = "provenance.json"  # beside a model that the workflow made
PHANTOM_RULE = "make_phantom"


@dataclass(frozen=True)
class ModelFacts:
    """A model in a few words. `phantom` says whether it was trained on the built-in phantom, so that it is a toy.

    That is None where no provenance file lies beside the model, so that nobody can say.
    """

    name: str
    targets: tuple[str, ...]
    training_cases: int
    phantom: bool | None
    sha256: str


def model_facts(path: Path, card: ModelCard, name: str) -> ModelFacts:
    """The facts of a model file with its card."""
    return ModelFacts(name, card.labels, card.training_cases, trained_on_phantom(path, card), sha256_of(path))


def trained_on_phantom(path: Path, card: ModelCard) -> bool | None:
    """Whether the provenance beside a model, if it is that model's, has the rule that makes the phantom."""
    beside = path.with_name(PROVENANCE)
    if not card.provenance or not beside.is_file() or sha256_of(beside) != card.provenance:
        return None
    jobs = json.loads(beside.read_text(encoding="utf-8"))["jobs"]
    return any(job["rule"] == PHANTOM_RULE for job in jobs)
