"""MONAI bundles pass the check of MONAI and produce the same mask as `ctseg predict`."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from ball_model import CARD
from command import ctseg, with_folders
from ctseg.bundle.write import write_bundle
from ctseg.export.model_files import export_onnx, export_torchscript
from ctseg.phantom.patient import PhantomSettings, make_phantom
from ctseg.scans.nifti import read_nifti, write_nifti
from places import SCRIPTS

PARTS = {"LICENSE", "configs/card.json", "configs/inference.json", "configs/metadata.json", "docs/README.md"}
# Fields required by MONAI's schema of 2024-07-25.
REQUIRED = {"version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task"}
REQUIRED |= {"description", "authors", "copyright", "network_data_format", "changelog", "intended_use"}


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_is_complete_and_the_same_each_time(model_folder, tmp_path):
    for name in ("a", "b"):
        write_bundle(model_folder / "model.onnx", tmp_path / name, "MIT License")
    found = files(tmp_path / "a")
    assert found.keys() == PARTS | {"models/model.pt"}
    assert found == files(tmp_path / "b")
    told = json.loads(found["configs/metadata.json"])
    assert told.keys() >= REQUIRED
    image, pred = told["network_data_format"]["inputs"]["image"], told["network_data_format"]["outputs"]["pred"]
    assert (image["spatial_shape"], pred["channel_def"]) == (["4*n"] * 3, {"0": "background", "1": "ball"})
    assert "Research only" in told["intended_use"] and "Research only" in found["docs/README.md"].decode()
    assert b"$" not in found["docs/README.md"]


def bundle_run(*arguments, folder):
    """Command of MONAI to run bundles; it needs packages that no other test needs."""
    missing = [name for name in ("fire", "ignite") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'monai[fire]' pytorch-ignite")
    command = [sys.executable, "-m", "monai.bundle", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, env=with_folders(SCRIPTS), cwd=folder, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("region", ["body", "lungs"])
def test_monai_gives_the_mask_of_predict_and_its_cautions(trained, region, tmp_path):
    """Segment a chest of the phantom only with the command of MONAI."""
    card = replace(CARD, preparation=replace(CARD.preparation, region=region))
    card = replace(card, postprocess=replace(card.postprocess, restrict_to_region=True, min_volume_mm3=30.0))
    export_onnx(trained, card, tmp_path / "model.onnx")
    export_torchscript(trained, card, tmp_path / "model.ts")
    write_bundle(tmp_path / "model.ts", tmp_path / "bundle", "MIT License")
    phantom = make_phantom(
        PhantomSettings(seed=1, spacing_mm=(2.0, 2.2), slice_distance_mm=(2.6, 3.0), nodules=(2, 5)), 0
    )
    (tmp_path / "scans").mkdir()
    write_nifti(phantom.image, tmp_path / "scans" / "chest.nii.gz")
    where = ("--dataset_dir", tmp_path / "scans", "--output_dir", tmp_path / "masks", "--bundle_root", ".")
    told = bundle_run("run", "--config_file", "configs/inference.json", *where, folder=tmp_path / "bundle")
    own = ("predict", tmp_path / "model.onnx", tmp_path / "scans" / "chest.nii.gz", "-o", tmp_path / "own.nii.gz")
    run = ctseg(*own, "--quiet", "--engine", "torch")
    assert run.returncode == 0, run.stderr
    mask, wanted = read_nifti(tmp_path / "masks" / "chest_seg.nii.gz"), read_nifti(tmp_path / "own.nii.gz")
    assert wanted.voxels_zyx.any()
    assert mask.grid.matches(wanted.grid)
    np.testing.assert_array_equal(mask.voxels_zyx, wanted.voxels_zyx)
    cautions = [line.removeprefix("ctseg: ") for line in run.stderr.splitlines() if line.startswith("ctseg: ")]
    assert all(caution in told for caution in cautions)
    default = ctseg(*own[:-1], tmp_path / "default.nii.gz")
    assert default.returncode == 0, default.stderr
    other = read_nifti(tmp_path / "default.nii.gz").voxels_zyx
    assert np.count_nonzero(other != mask.voxels_zyx) <= 1e-4 * np.count_nonzero(other)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_monai_finds_the_network_as_its_metadata_say(model_folder, tmp_path):
    write_bundle(model_folder / "model.ts", tmp_path, "MIT License")
    configs = ("--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json")
    bundle_run("verify_net_in_out", "network_def", *configs, "--n", "5", "--device", "cpu", folder=tmp_path)
