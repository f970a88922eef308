import numpy as np
import pandas as pd
import pytest

from ball_model import CARD
from command import ctseg
from ctseg.evaluation.stability import SHIFTS, Shifted, ShiftedEngine, stability, told
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import ProcessorEngine, load_engine
from ctseg.inference.predict import predict
from ctseg.preprocessing.preparation import Preparation, network_input
from ctseg.scans.nifti import write_nifti

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Bright(ProcessorEngine):
    """Engine that segments all voxels above 0 HU."""

    card, name = CARD, "bright"

    def __call__(self, patches):
        return (patches > 0).astype(np.float32)


def test_the_grid_moves_by_half_of_its_voxels_and_covers_the_scan_as_before():
    image = Volume(np.zeros((20, 22, 24), np.int16), Grid((20, 22, 24), (1.0, 1.0, 2.0), (5.0, 6.0, 7.0), IDENTITY))
    plain = Preparation((2.0, 2.0, 3.0), (-1000.0, 400.0), "body", 4.0)
    _, grid = network_input(image, None, plain)
    for shift in SHIFTS:
        moved = Shifted(plain.spacing_xyz_mm, plain.window_hu, plain.region, plain.margin_mm, shift)
        _, other = network_input(image, None, moved)
        offset = (np.array(other.origin_xyz_mm) - grid.origin_xyz_mm) / plain.spacing_xyz_mm
        np.testing.assert_allclose(offset, [-0.5 if along else 0 for along in shift])
        more = np.array(other.shape_zyx[::-1]) - grid.shape_zyx[::-1]
        assert more.tolist() == [1 if along else 0 for along in shift]


def test_a_thin_sheet_moves_and_a_large_block_hardly_does():
    voxels = np.full((40, 40, 40), -900, np.int16)
    voxels[4:36, 4:36, 4:36] = 300
    block = Volume(voxels, Grid(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY))
    sheet = block.with_voxels(np.where(np.indices(voxels.shape)[0] == 20, voxels, -900).astype(np.int16))
    rows = []
    for image in (block, sheet):
        engine = Bright()
        rows += stability(predict(image, engine).segmentation, image, None, False, engine)
    assert rows[0]["smallest_dice"] > rows[1]["smallest_dice"] + 0.1
    assert rows[0]["smallest_dice"] > 0.85, rows
    assert rows[1]["smallest_dice"] < 0.9
    assert rows[1]["volume_range_percent"] > 10
    for row in rows:
        assert row["smallest_volume_cm3"] <= row["volume_cm3"] <= row["largest_volume_cm3"]


def test_nothing_found_on_any_grid_has_no_dice():
    image = Volume(np.full((12, 12, 12), -900, np.int16), Grid((12,) * 3, (1.0,) * 3, (0.0,) * 3, IDENTITY))
    (row,) = stability(image.with_voxels(np.zeros((12,) * 3, np.uint8)), image, None, False, Bright())
    assert np.isnan([row["volume_range_percent"], row["smallest_dice"]]).all()
    assert row["largest_volume_cm3"] == 0
    assert told(row) == "ball: nothing is found with the grid of the network shifted by half a voxel, either"


def test_the_engine_is_the_same_but_for_the_grid(model_folder):
    engine = load_engine(model_folder / "model.onnx", 2)
    shifted = ShiftedEngine(engine, SHIFTS[0])
    patch = np.zeros((1, 1, 16, 16, 16), np.float32)
    np.testing.assert_array_equal(shifted(patch), engine(patch))
    assert shifted.card.postprocess == engine.card.postprocess


def test_the_command_tells_it_and_writes_a_table(model_folder, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    model, image, output = model_folder / "model.onnx", tmp_path / "scan.nii.gz", tmp_path / "out.nii.gz"
    run = ctseg("predict", model, image, "-o", output, "--stability")
    assert run.returncode == 0, run.stderr
    (row,) = pd.read_csv(tmp_path / "out_stability.tsv", sep="\t").to_dict("records")
    components = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert row["volume_cm3"] == pytest.approx(components["volume_cm3"].sum(), abs=1e-3)
    assert 0.5 < row["smallest_dice"] < 1
    assert "shifted by half a voxel" in run.stdout
    assert f"{row['smallest_dice']:.3f}" in run.stdout
