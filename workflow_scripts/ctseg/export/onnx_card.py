"""The card of an ONNX model, read without an engine."""

from pathlib import Path

from ctseg.errors import ModelError
from ctseg.inference.model_card import ModelCard, read_card


def card_of(path: str | Path) -> ModelCard:
    """The card of an ONNX model. Raises ModelError if the file is not an ONNX model, or not of ctseg."""
    import onnx  # import takes 0.4 s

    try:
        model = onnx.load(str(path))
    except Exception:  # protobuf raises various types
        raise ModelError(f"{path} is not an ONNX model: give the model.onnx of a study") from None
    return read_card(path, {prop.key: prop.value for prop in model.metadata_props})
