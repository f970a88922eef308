"""Exported model in plain ONNX Runtime, with sizes from user reports: all information on sizes is consistent."""

import math
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from ball_model import CARD
from places import ROOT
from real_data import report


def test_sizes_that_are_multiples_work_and_the_model_says_which_they_are(model_folder, tmp_path):
    report("case14_onnx_sizes").make(tmp_path)
    path = model_folder / "model.onnx"
    session = onnxruntime.InferenceSession(path)
    worked = set()
    for file in sorted(tmp_path.glob("hu_*.npy")):
        hu = np.load(file)
        if any(size % multiple for size, multiple in zip(hu.shape[2:], CARD.multiple_zyx, strict=True)):
            with pytest.raises(Fail):
                session.run(None, {"hu": hu})
            continue
        assert session.run(None, {"hu": hu})[0].shape == hu.shape
        worked.add(hu.shape[2:])
    assert {(48, 48, 48), (40, 64, 16)} <= worked
    graph = onnx.load(path).graph
    for value in (graph.input[0], graph.output[0]):
        named = [size.dim_param for size in value.type.tensor_type.shape.dim[2:]]
        assert named == [f"{multiple}*{axis}" for multiple, axis in zip(CARD.multiple_zyx, "zyx", strict=True)]
    assert math.prod(CARD.multiple_zyx) > 1
    assert re.search(r"model\.onnx`.*multiples of `multiple_zyx`", (ROOT / "README.md").read_text())
