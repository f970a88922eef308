"""Use of a model that was trained elsewhere: the settings in its card replace the choices of this study."""

from collections.abc import Sequence
from dataclasses import asdict

from ctseg.decisions import Decision, Stored, stored
from ctseg.errors import ModelError
from ctseg.inference.model_card import ModelCard

REASON = "as the model says"


def require_labels(card: ModelCard, labels: Sequence[str]) -> None:
    """Raise ModelError if cases are labelled with other targets than the model's."""
    if list(card.labels) != list(labels):
        raise ModelError(
            f"the model segments {', '.join(card.labels)}, but target.labels are {', '.join(labels)}; name the model's "
            "targets there in this order, with their values in the label files"
        )


def postprocessing_of(card: ModelCard) -> Stored:
    """Threshold and postprocessing of the model, in the form of postprocess.json."""
    values = {"threshold": card.threshold, **asdict(card.postprocess), "region": card.preparation.region}
    return stored({name: Decision(value, REASON) for name, value in values.items()})


def inference_of(card: ModelCard) -> Stored:
    """Windows and precision of the model, in the form of inference.json."""
    return stored({name: Decision(value, REASON) for name, value in asdict(card.infer).items()})
