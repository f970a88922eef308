"""Reading the card of an ONNX model without an engine."""

import onnx
import pytest

from ball_model import CARD
from ctseg.errors import InputError
from ctseg.export.onnx_card import card_of


def test_the_card_is_that_of_the_model(model_folder):
    found = card_of(model_folder / "model.onnx")
    assert (found.labels, found.preparation, found.patch_zyx) == (CARD.labels, CARD.preparation, CARD.patch_zyx)


def test_a_model_of_others_has_no_card(tmp_path, model_folder):
    graph = onnx.load(model_folder / "model.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "bare.onnx")
    with pytest.raises(InputError, match=r"bare\.onnx is not a ctseg model"):
        card_of(tmp_path / "bare.onnx")


def test_a_file_that_is_no_model_is_told(tmp_path):
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(InputError, match=r"text\.onnx is not an ONNX model"):
        card_of(tmp_path / "text.onnx")
