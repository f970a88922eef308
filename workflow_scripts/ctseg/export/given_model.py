"""Using a model that was trained elsewhere: what it says of itself stands for what this study would have chosen."""

from collections.abc import Sequence
from dataclasses import asdict

from ctseg.decisions import Decision, Stored, stored
from ctseg.errors import ModelError
from ctseg.inference.model_card import ModelCard

REASON = "as the model says"


def require_labels(card: ModelCard, labels: Sequence[str]) -> None:
    """Raise InputError when cases are labelled with other targets than the model's."""
    if list(card.labels) != list(labels):
        raise ModelError(
            f"the model segments {', '.join(card.labels)}, but target.labels are {', '.join(labels)}; name the model's "
            "targets there in this order, with their values in the label files"
        )


def postprocessing_of(card: ModelCard) -> Stored:
    """Threshold and postprocessing as they stand in postprocess.json."""
    values = {"threshold": card.threshold, **asdict(card.postprocess), "region": card.preparation.region}
    return stored({name: Decision(value, REASON) for name, value in values.items()})


def inference_of(card: ModelCard) -> Stored:
    """Windows and precision as they stand in inference.json."""
    return stored({name: Decision(value, REASON) for name, value in asdict(card.infer).items()})
