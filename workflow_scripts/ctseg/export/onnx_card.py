"""The card of an ONNX model, without loading it into an engine."""

from pathlib import Path

from ctseg.errors import ModelError
from ctseg.inference.model_card import ModelCard, read_card


def card_of(path: str | Path) -> ModelCard:
    """The card of an ONNX model. Raises ModelError when the file is not an ONNX model, or none of ctseg."""
    import onnx  # 0.4 s

    try:
        model = onnx.load(str(path))
    except Exception:  # protobuf raises what it likes
        raise ModelError(f"{path} is not an ONNX model: give the model.onnx of a study") from None
    return read_card(path, {prop.key: prop.value for prop in model.metadata_props})
