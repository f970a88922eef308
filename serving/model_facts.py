"""A model as people are told of it: its name, its card, and the hash of its file."""

from dataclasses import dataclass

from ctseg.inference.model_card import ModelCard


@dataclass(frozen=True)
class ModelFacts:
    """A model with the name that it has for people; a card with `phantom` is that of a toy."""

    name: str
    card: ModelCard
    sha256: str
