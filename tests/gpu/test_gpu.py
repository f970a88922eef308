"""ctseg on a GPU, from the workflow to single operations; `--device cpu --small` runs all tests on a CPU."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch

from command import ctseg
from ctseg.errors import InputError
from ctseg.export.parity import compare, require_parity
from ctseg.inference.engines import ENGINES, load_engine, lower_precisions
from ctseg.inference.gpu_windows import DeviceWindows
from ctseg.inference.model_card import InferSettings
from ctseg.inference.predict import infer
from ctseg.inference.sliding_window import tiling
from ctseg.inference.torch_engine import TorchEngine
from ctseg.network.settings import NetworkSettings
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.training.trainer import Trainer
from studies import TINY, merged, planned, snakemake
from training_data import SETTINGS, digest, killed_and_resumed, make_case

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

CHANGES = {
    "infer": {"compare_cases": 1, "precision": "auto", "uncertainty": True},
    "train": {"steps": 40, "validate_every": 20},
}


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


def on_gpu(device):
    return device.type == "cuda"


@pytest.fixture(scope="module")
def study(device, tmp_path_factory):
    """Results folder of a finished small study, from DICOM to the report."""
    folder = tmp_path_factory.mktemp("study")
    changes = CHANGES if on_gpu(device) else merged(CHANGES, {"infer": {"gpus": 0}})
    run = snakemake(folder, merged(TINY, changes), "--cores", "all")
    assert run.returncode == 0, run.stdout[-4000:]
    assert planned(folder, merged(TINY, changes)) == set()
    return folder / "results" / "tiny"


def test_a_study_runs_whole_and_says_what_it_ran_on(study, device):
    assert (study / "report.html").stat().st_size > 10_000
    assert len(pd.read_csv(study / "metrics" / "cases.tsv", sep="\t"))
    log = next((study / "logs" / "infer").glob("*.log")).read_text()
    training = (study / "logs" / "train" / "0.log").read_text()
    variants = pd.read_csv(study / "model" / "variants.tsv", sep="\t")
    if on_gpu(device):
        assert torch.cuda.get_device_name() in log
        assert "cuda" in training
        assert {"float32", "tf32", "float16", "bfloat16"} <= set(variants[variants["engine"] == "torch"]["precision"])
    else:
        assert ("OpenVINO" if find_spec("openvino") else "ONNX Runtime") in log
        assert "on cpu in float32" in training


def test_the_study_proved_its_model_where_it_is_used(study, device):
    parity = json.loads((study / "model" / "parity.json").read_text())
    names = set(parity["sizes"][0]) - {"shape"}
    assert {f"{name}_max_difference" for name in ENGINES if find_spec(name)} <= names
    assert "libtorch_max_difference" in names
    lower = {f"torch_{name}_max_difference" for name in lower_precisions("torch", on_gpu(device))}
    assert lower <= names
    assert parity["tolerances"]["float32"] >= max(row["torch_max_difference"] for row in parity["sizes"])


def test_dicom_and_its_nifti_get_the_same_mask_from_the_command_line(study, device, tmp_path):
    series = next((study / "phantom").glob("*/dicom"))
    converted = study / "images" / f"{series.parent.name}.nii.gz"
    engine = ["--engine", "torch"] if on_gpu(device) else []
    found = []
    for number, source in enumerate((series, converted)):
        output = tmp_path / f"{number}.nii.gz"
        run = ctseg("predict", study / "model" / "model.onnx", source, "-o", output, *engine)
        assert run.returncode == 0, run.stderr
        assert ("torch" in run.stdout) is on_gpu(device)
        found.append(read_nifti(output).voxels_zyx)
    np.testing.assert_array_equal(*found)


@pytest.fixture(scope="module")
def engines(device, model_folder):
    """Engine on the device in each of its precisions, by precision."""
    names = ["float32", *lower_precisions("torch", on_gpu(device))]
    return {name: TorchEngine(model_folder / "model.ts", 2, name, device) for name in names}


@pytest.mark.parametrize("settings", [InferSettings("patch", 0.5), InferSettings("large", 0.25, mirror_axes="x")])
def test_the_labels_are_those_of_a_processor(device, engines, model_folder, scan, settings):
    expected = infer(scan[0], None, load_engine(model_folder / "model.onnx", 2, use_gpu=False), settings).labels
    for name, engine in engines.items():
        assert engine.on_gpu is on_gpu(device)
        found = infer(scan[0], None, engine, settings).labels
        least = 0.9999 if name == "float32" else 0.98
        assert dice(found.voxels_zyx > 0, expected.voxels_zyx > 0) >= least, name
        again = infer(scan[0], None, engine, settings).labels
        np.testing.assert_array_equal(again.voxels_zyx, found.voxels_zyx, name)


def test_parity_is_proved_in_float32_and_told_of_the_other_precisions(device, model_folder, trained):
    torch_on, rows = compare(trained, model_folder / "model.onnx", (4, 4, 4), seed=0)
    tolerances = {"float32": 1e-3, "tf32": 0.02, "float16": 0.02, "bfloat16": 0.15}
    for precision in ("float32", *lower_precisions("torch", on_gpu(device))):
        require_parity(rows, tolerances, precision)
    assert ("CPU" in torch_on) is not on_gpu(device)


@contextmanager
def little_memory(device, gib):
    """Limit the GPU memory of this process to `gib`; no limit on a CPU."""
    if not on_gpu(device):
        yield
        return
    torch.cuda.empty_cache()
    whole_gib = torch.cuda.get_device_properties(device).total_memory / 2**30
    torch.cuda.set_per_process_memory_fraction(gib / whole_gib)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def short_of(device, network, most):
    """The network; on a CPU it raises OutOfMemoryError for more than `most` windows at once."""

    def limited(hu):
        if not on_gpu(device) and len(hu) > most:
            raise torch.OutOfMemoryError
        return network(hu)

    return limited


def test_fewer_windows_are_computed_at_once_where_the_memory_runs_out(device):
    tiles = tiling((64, 128, 128), (64, 64, 64), (64, 64, 64), 0.5)
    wide = torch.nn.Conv3d(1, 200, 3, padding=1).to(device).requires_grad_(False)

    def network(hu):
        return wide(hu).mean(dim=1, keepdim=True)  # 0.2 GiB per window

    rows = torch.zeros(64, 128, 128, dtype=torch.int16, device=device)
    with little_memory(device, 1.5):
        windows = DeviceWindows(tiles, short_of(device, network, 2), 1, 9, device)
        first, slab = next(windows.slabs(lambda a, b: rows[a:b], -500, 0))
        assert first == 0
        assert slab.shape == (1, 64, 128, 128)
        assert windows.batch_size < 9
    with little_memory(device, 0.05), pytest.raises(InputError, match="too little free memory"):
        windows = DeviceWindows(tiles, short_of(device, network, 0), 1, 1, device)
        list(windows.slabs(lambda a, b: rows[a:b], -500, 0))


def trainer(device, **changes):
    return Trainer([make_case(0), make_case(1)], [make_case(2)], replace(SETTINGS, **changes), "a", device)


def needed_gib(device, sizes):
    """Peak GPU memory of a training step in GiB; 0 on a CPU."""
    if not on_gpu(device):
        return 0.0
    run = trainer(device, **sizes)
    torch.cuda.reset_peak_memory_stats(device)
    run._train_step()
    return torch.cuda.max_memory_reserved(device) / 2**30


def test_training_takes_less_where_the_memory_runs_out(device, tmp_path):
    sizes = {"batch_size": 8, "patch_zyx": (64, 64, 64), "steps": 1, "validate_every": 1}
    if not on_gpu(device):
        sizes["batch_size"], sizes["patch_zyx"] = 4, (8, 8, 8)
    with little_memory(device, 0.6 * needed_gib(device, sizes)):
        run = trainer(device, on_oom="shrink", **sizes)
        if not on_gpu(device):
            run.gradients.backward = short_of_memory(run.gradients.backward)
        run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.settings.batch_size < sizes["batch_size"]
    assert run.step == 1


def short_of_memory(backward):
    """Backward function of a trainer that raises OutOfMemoryError for more than one patch."""

    def limited(images, targets, count):
        if len(images) > 1:
            raise torch.OutOfMemoryError
        return backward(images, targets, count)

    return limited


@pytest.fixture
def deterministic():
    """The algorithms that `train_fold` uses."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


SUPERVISED = NetworkSettings(
    (4, 8, 8), 0, "instance", 0.0, ((2, 2, 2),) * 2, ((3, 3, 3),) * 3, "dynunet", deep_supervision=True
)
NETWORKS = {"dropout": SETTINGS.network, "unet": replace(SETTINGS.network, dropout=0.0), "dynunet": SUPERVISED}


@pytest.mark.parametrize("precision", ["float32", "tf32", "float16", "bfloat16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_killed_training_ends_with_the_same_bytes(device, tmp_path, precision, network, deterministic):
    """Also with other steps recorded as a CUDA graph than in the run without a kill, or with none."""
    changes = {"precision": precision, "network": NETWORKS[network], "validate_every": 6}

    def unrecorded():
        run = trainer(device, **changes)
        run.gradients.record = None
        return run

    whole = trainer(device, **changes)
    assert (whole.gradients.record is not None) == (on_gpu(device) and network != "dropout")
    whole.run(tmp_path / "whole.pt", progress=False)
    for name, make in (("recorded", lambda: trainer(device, **changes)), ("unrecorded", unrecorded)):
        resumed = killed_and_resumed(make, tmp_path / f"{name}.pt")
        assert digest(resumed.best_weights) == digest(whole.best_weights)
        assert resumed.history.rows == whole.history.rows


@pytest.mark.parametrize("data_on", ["gpu", "disk"])
def test_a_ball_is_learnt_from_cases_on_the_gpu_and_in_files(device, tmp_path, data_on):
    network = replace(SETTINGS.network, channels=(8, 16), norm="batch", dropout=0.0)
    run = trainer(device, steps=120, validate_every=20, network=network, precision="auto", data_on=data_on)
    run.run(tmp_path / "checkpoint.pt", progress=False)
    assert run.history.best_dice > 0.85


def test_two_processes_share_a_gpu(device, model_folder, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    engine = ["--engine", "torch"] if on_gpu(device) else []

    def segment(number):
        model, output = model_folder / "model.onnx", tmp_path / f"{number}.nii.gz"
        return ctseg("predict", model, tmp_path / "scan.nii.gz", "-o", output, *engine)

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(segment, range(2)))
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    masks = [read_nifti(tmp_path / f"{number}.nii.gz").voxels_zyx for number in range(2)]
    np.testing.assert_array_equal(*masks)
    assert masks[0].any()
