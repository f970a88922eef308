"""Segmentation of a case, from scan file to result files."""

import shutil

import numpy as np
import pytest

from ball_results import dice
from ctseg.files import write_json
from ctseg.inference.case_task import CaseTask, engine_for, segment_case
from ctseg.scans.nifti import read_nifti, write_nifti


@pytest.fixture
def files(model_folder, scan, tmp_path):
    """Fields of a task for a scan of balls."""
    write_nifti(scan[0], tmp_path / "scan.nii")
    shutil.copy(model_folder / "model.onnx", tmp_path / "model.onnx")
    return {
        "image": str(tmp_path / "scan.nii"),
        "model": str(tmp_path / "model.onnx"),
        "threads": 1,
        "engine": "onnxruntime",
        "use_gpu": False,
        "memory_gib": 0.5,
    }


def test_each_map_is_written_where_it_has_a_path(files, scan, tmp_path):
    names = ("prediction", "low_threshold", "probability", "uncertainty")
    told = segment_case(CaseTask(**files, **{name: str(tmp_path / f"{name}.nii.gz") for name in names}))
    maps = {name: read_nifti(tmp_path / f"{name}.nii.gz") for name in names}
    assert all(found.grid.matches(scan[0].grid, 1e-3) for found in maps.values())
    found = maps["prediction"].voxels_zyx > 0
    assert dice(found, scan[1]) > 0.9
    assert told.endswith(f": {found.sum()} voxels of a target")
    assert not (found & (maps["low_threshold"].voxels_zyx == 0)).any()
    alone = tmp_path / "alone.nii.gz"
    segment_case(CaseTask(**files, prediction=str(alone)))
    np.testing.assert_array_equal(read_nifti(alone).voxels_zyx, maps["prediction"].voxels_zyx)


def test_the_model_of_8_bit_integers_is_taken_where_it_was_chosen(files, model_folder, tmp_path):
    int8 = {"int8": str(model_folder / "model.int8.onnx"), "inference": str(tmp_path / "inference.json")}
    for precision in ("int8", "float32"):
        write_json(int8["inference"], {"precision": {"value": precision, "reason": "given"}})
        assert engine_for(CaseTask(**files, **int8)).card.infer.precision == precision
    assert engine_for(CaseTask(**files)).card.infer.precision == "float32"


def test_an_engine_stays_until_its_model_changes(files, model_folder):
    first = engine_for(CaseTask(**files))
    assert engine_for(CaseTask(**files | {"image": "another.nii"})) is first
    shutil.copy(model_folder / "model.int8.onnx", files["model"])
    assert engine_for(CaseTask(**files)).card.infer.precision == "int8"
