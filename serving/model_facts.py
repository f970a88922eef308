"""Name, card and file hash of a model, as shown to users."""

from dataclasses import dataclass

from ctseg.inference.model_card import ModelCard


@dataclass(frozen=True)
class ModelFacts:
    """Display name, card and SHA-256 of a model; `card.phantom` is true for a model trained on phantoms."""

    name: str
    card: ModelCard
    sha256: str
