"""Texts of the page in each language; all languages have the same keys."""

from collections.abc import Mapping

from ctseg.inference.model_card import ModelCard
from serving.page.chinese import CHINESE
from serving.page.english import ENGLISH

Texts = Mapping[str, str]
TEXTS = {"English": ENGLISH, "中文": CHINESE}


def training_data(card: ModelCard, texts: Texts) -> str:
    """Training data of a model in the language of the page, as in `ModelCard.training_data`."""
    things = "phantoms" if card.phantom else "scans"
    told = _number(card.training_cases, things, texts)
    patients = _number(card.training_patients, "patients", texts) if card.training_patients and not card.phantom else ""
    return texts["of_patients"].format(scans=told, patients=patients) if patients else told


def _number(count: int, things: str, texts: Texts) -> str:
    """Count with its noun, singular or plural."""
    return texts[f"{things}_one"] if count == 1 else texts[things].format(count=count)
