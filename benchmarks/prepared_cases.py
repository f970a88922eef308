"""Cases for gpu.py and recipes.py, simulated or read, and prepared by the functions of ctseg without the workflow."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.decisions import GIVEN, Decision  # noqa: E402
from ctseg.files import read_json, write_json  # noqa: E402
from ctseg.geometry.volume import Volume  # noqa: E402
from ctseg.hardware import training_memory  # noqa: E402
from ctseg.phantom.cases import phantom_case  # noqa: E402
from ctseg.phantom.patient import PhantomSettings, make_phantom  # noqa: E402
from ctseg.preprocessing.find_foreground import find_foreground  # noqa: E402
from ctseg.preprocessing.fingerprint import fingerprint  # noqa: E402
from ctseg.preprocessing.foreground import write_foreground  # noqa: E402
from ctseg.preprocessing.plan import plan  # noqa: E402
from ctseg.preprocessing.plan_network import Device  # noqa: E402
from ctseg.preprocessing.planned import preparation_of  # noqa: E402
from ctseg.preprocessing.preparation import Preparation, prepare_image, prepare_label  # noqa: E402
from ctseg.scans.nifti import read_nifti, write_nifti  # noqa: E402
from ctseg.training.patch_sampling import TrainingCase  # noqa: E402
from ctseg.training.prepared_cases import read_cases  # noqa: E402
from ctseg.training.settings import TrainSettings, training_settings  # noqa: E402

PLANNED = ("architecture", "channels", "stem", "strides", "kernel_sizes")  # keys of the config's `network`
MOST_FOREGROUND_VOXELS = 20_000  # as in the workflow


@dataclass(frozen=True)
class DataSet:
    """Prepared cases, mapped from `folder`/CASE/image.nii and label.nii, and the training settings."""

    name: str
    folder: Path
    training: list[TrainingCase]
    validation: list[TrainingCase]
    settings: TrainSettings


def data_sets(given: argparse.Namespace) -> list[DataSet]:
    """Data sets of --data and of the phantoms, if requested."""
    sets = []
    with workers(given.workers) as run:
        if given.data:
            cases = sorted(path.parent for path in given.data.glob("*/image.nii.gz"))[: given.most]
            sets.append(data_set("data", cases, study(yaml.safe_load(given.study.read_text()), given), given, run))
        if given.phantoms:
            config = study({"plan": {"spacing_mm": [given.spacing] * 3}}, given)
            sets.append(data_set("phantom", make_phantoms(config, given, run), config, given, run))
    return sets


def make_phantoms(config: dict[str, Any], given: argparse.Namespace, run: Callable[..., Iterable]) -> list[Path]:
    """Folders of the phantoms; missing phantoms are written."""
    folders = [given.out / "phantoms" / phantom_case(index) for index in range(given.phantoms)]
    missing = [index for index, folder in enumerate(folders) if not (folder / "label.nii.gz").exists()]
    ranges = {key: tuple(config["cases"]["phantom"][key]) for key in ("spacing_mm", "slice_distance_mm", "nodules")}
    list(run(partial(write_phantom, PhantomSettings(config["seed"], **ranges), given.out / "phantoms"), missing))
    return folders


def study(own: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """Default config with the sections of the study `own` and the sizes and network of the command line."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {key: {**config[key], **value} for key, value in own.items() if isinstance(value, dict)}
    patch = own.get("plan", {}).get("patch_size", "auto")
    sizes = [given.patch] * 3 if patch == "auto" else [min(size, given.patch) for size in patch]
    config["plan"] |= {"patch_size": sizes, "batch_size": given.batch}
    config["network"] |= {"architecture": given.architecture, "channels": given.channels}
    return config


@contextmanager
def workers(count: int) -> Iterator[Callable[..., Iterable]]:
    """`map` function over several processes; they are spawned, because CUDA does not work after a fork."""
    if count == 1:
        yield map
        return
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield pool.map


def write_phantom(settings: PhantomSettings, folder: Path, index: int) -> None:
    """Write image, label and lung field of a phantom in the folder layout of DATA."""
    phantom = make_phantom(settings, index)
    for name in ("lungs", "image", "label"):
        write_nifti(getattr(phantom, name), folder / phantom_case(index) / f"{name}.nii.gz")


def data_set(
    name: str, cases: list[Path], config: dict[str, Any], given: argparse.Namespace, run: Callable[..., Iterable]
) -> DataSet:
    """Plan from the training cases, prepare the cases that are not yet prepared with this plan, and map all of them."""
    training, validation = cases[: -given.validation], cases[-given.validation :]
    facts = {case.name: found for case, found in zip(training, run(facts_of, training), strict=True)}
    given_gib = config["plan"]["memory_gib"]
    on_gpu = given.device.type == "cuda"
    memory = Decision(*training_memory(on_gpu)) if given_gib == "auto" else Decision(given_gib, GIVEN)
    wanted = config["plan"] | {key: config["network"][key] for key in PLANNED}
    device = Device(memory, int(on_gpu))
    decisions = plan(facts, wanted | {"region": config["target"]["region"]}, device)
    folder, planned = given.out / f"{name}_prepared", given.out / f"{name}_plan.json"
    same = planned.exists() and read_json(planned) == decisions
    if not same:
        planned.unlink(missing_ok=True)
    missing = [case for case in cases if not (same and (folder / case.name / "foreground.npz").exists())]
    list(run(partial(prepare, folder, preparation_of(decisions, config["plan"]["margin_mm"]), config["seed"]), missing))
    write_json(planned, decisions)
    params = {key: config[key] for key in ("train", "network", "augment", "seed")}
    settings = training_settings(params | {"labels": ["target"], "fold": 0, "repeat": 0}, decisions)
    names = [[case.name for case in part] for part in (training, validation)]
    return DataSet(name, folder, read_cases(folder, names[0]), read_cases(folder, names[1]), settings)


def read_case(case: Path) -> tuple[Volume, Volume, Volume | None]:
    """Scan, label (1 = target) and lung field (None if missing) of a case."""
    lungs, label = case / "lungs.nii.gz", read_nifti(case / "label.nii.gz")
    target = label.with_voxels((label.voxels_zyx == 1).astype(np.uint8))
    return read_nifti(case / "image.nii.gz"), target, read_nifti(lungs) if lungs.exists() else None


def facts_of(case: Path) -> dict[str, Any]:
    """Fingerprint of a case, the input of the plan."""
    return fingerprint(*read_case(case), 1)


def prepare(folder: Path, preparation: Preparation, seed: int, case: Path) -> None:
    """Write the prepared files of a case for training, as the rule preprocess does."""
    image, label, lungs = read_case(case)
    prepared = prepare_image(image, lungs, preparation)
    target = prepare_label(label, prepared, 1)
    write_nifti(prepared, folder / case.name / "image.nii")
    write_nifti(target, folder / case.name / "label.nii")
    found = find_foreground(target.voxels_zyx, 1, MOST_FOREGROUND_VOXELS, seed)
    write_foreground(found, folder / case.name / "foreground.npz")
