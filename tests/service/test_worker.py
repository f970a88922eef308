"""Result of the worker for a series that no DICOM object can refer to."""

import json
from types import SimpleNamespace

import pytest

from ctseg.inference.engines import load_engine
from dicom_files import REFERABLE, write_series
from serving.service.job import COMPONENTS, OBJECTS, RESULT, Order
from serving.service.worker import Loaded, segment
from serving.settings import Settings


@pytest.mark.parametrize("elements", [{}, REFERABLE], ids=["not referable", "referable"])
def test_a_finished_segmentation_is_kept_without_dicom_objects(elements, model_folder, scan, tmp_path):
    folder = write_series(tmp_path / "dicom", scan[0].voxels_zyx, scan[0].grid, **elements)
    loaded = Loaded(load_engine(model_folder / "model.onnx", 1), "model.onnx", "0" * 64)
    pipe = SimpleNamespace(send=lambda message: None)
    assert segment(folder, Order(dicom=True), None, loaded, Settings(), pipe) == ("done", None)
    assert (tmp_path / RESULT).exists()
    told = json.loads((tmp_path / COMPONENTS).read_text())
    assert told["components"]
    flags = [flag for flag in told["flags"] if flag["kind"] == "no_dicom"]
    if elements:
        assert not flags and len(list((tmp_path / OBJECTS).glob("*.dcm"))) == 3
        return
    assert not (tmp_path / OBJECTS).exists()
    [flag] = flags
    assert flag["text"] in told["warnings"]
    assert "no DICOM object can refer to them; the other results are complete" in flag["text"]
    assert not any(word in flag["text"] for word in (str(tmp_path), "infer.dicom", "--dicom", "cases.exclude"))
