"""Accuracy over minutes of training on real CT: ctseg against nnU-Net v2, at equal cost on the same machine.

    python3 -m venv /tmp/nnunet && /tmp/nnunet/bin/pip install nnunetv2 torch==2.13.0
    python benchmarks/real_ct.py DATA OUT --peer /tmp/nnunet/bin/python [--minutes 30] [--at 5 10 20 30]

DATA contains CASE/image.nii.gz and CASE/label.nii.gz (label 1). The last --validation cases are held out, all others
train. Both programs train for the same time on the same cores or GPU, one after the other, without counting the
preparation. They segment the held-out cases on the grids of the scans with the weights of several times, both with the
mean over all mirror images if --mirror is given. On a GPU, --peer-memory-gib 8 is the default plan of nnU-Net. ctseg
does not tune its postprocessing: it uses a threshold of 0.5 and the largest component. OUT/real_ct.tsv has the mean
Dice of both; for nnU-Net also that of the largest component alone, since each target is a single mass.
OUT/MINUTES/CASE_probability.nii.gz has ctseg's probabilities in 255ths.

With --step-ms a step counts as this time, whatever it takes: then several trainings can share a GPU, if each is given
the time that its step takes alone (`seconds` / `steps` of a short run without --step-ms).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow_scripts")]

from benchmarks.gpu_timing import wait_for  # noqa: E402
from ctseg.files import read_json  # noqa: E402
from ctseg.geometry.volume import Volume  # noqa: E402
from ctseg.inference.native_grid import to_native_grid  # noqa: E402
from ctseg.inference.sliding_window import sliding_window  # noqa: E402
from ctseg.masks.overlap import dice_of_masks  # noqa: E402
from ctseg.masks.postprocessing import PostprocessSettings, postprocess  # noqa: E402
from ctseg.preprocessing.preparation import Preparation, prepare_image  # noqa: E402
from ctseg.scans.nifti import read_nifti, write_nifti  # noqa: E402
from ctseg.training.prepared_cases import read_cases  # noqa: E402
from ctseg.training.settings import training_settings  # noqa: E402
from ctseg.training.trainer import Trainer  # noqa: E402

SYNC_STEPS = 10  # steps between waits for the GPU, so that the clock is right
LARGEST = PostprocessSettings(0.0, keep_largest=True, restrict_to_region=False)


def study(given: argparse.Namespace) -> dict:
    """Config of the sarcoma study with a case table, the changes of --set, and practically no limit of steps."""
    config = yaml.safe_load((ROOT / "studies" / "soft_tissue_sarcoma.yaml").read_text())
    config["cases"] = {"source": "table", "table": "cases.tsv"}
    config["target"]["roi_names"] = {}
    config["seed"] = given.seed
    config["train"] |= {"steps": 10**6, "validate_every": 10**6}
    for setting in given.set:
        keys, value = setting.split("=", 1)
        place = config
        *path, last = keys.split(".")
        for key in path:
            place = place.setdefault(key, {})
        place[last] = yaml.safe_load(value)
    return config


def prepare(data: Path, out: Path, given: argparse.Namespace) -> None:
    """Convert and prepare all cases with the workflow."""
    cases = sorted(path.name for path in data.iterdir())
    # The workflow needs a validation case; it also trains here. The plan uses no held-out case.
    splits = ["train"] * (len(cases) - given.validation - 1) + ["val"] + ["test"] * given.validation
    rows = [
        f"{case}\t{data}/{case}/image.nii.gz\t{data}/{case}/label.nii.gz\t{split}"
        for case, split in zip(cases, splits, strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "cases.tsv").write_text("\n".join(["case\timage\tlabel\tsplit", *rows]) + "\n")
    (out / "study.yaml").write_text(yaml.safe_dump(study(given)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(out)]
    command += ["--cores", "all", "--quiet", "--configfile", str(out / "study.yaml"), "--", "preprocess_all"]
    subprocess.run(command, check=True)


def train_params(out: Path) -> dict:
    """Params of the rule train for the study in `out`."""
    from ctseg.study.config import resolve_config

    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    own = yaml.safe_load((out / "study.yaml").read_text())
    merged = {
        key: {**value, **own.get(key, {})} if isinstance(value, dict) else own.get(key, value)
        for key, value in default.items()
    }
    config = resolve_config(merged, ROOT / "rules" / "schemas" / "config.schema.yaml", own)
    params = {key: config[key] for key in ("train", "network", "augment", "seed")}
    return params | {"labels": list(config["target"]["labels"]), "fold": 0, "repeat": 0}


def train(out: Path, params: dict, given: argparse.Namespace) -> list[dict]:
    """Train until the last of --at and evaluate at each; return a row with steps and Dice for each.

    The learning rate falls over the steps that fit into --minutes.
    """
    results = out / "results" / "soft_tissue_sarcoma"
    cases = pd.read_csv(out / "cases.tsv", sep="\t")
    decisions = read_json(results / "plan.json")
    settings = training_settings(params, decisions)
    held_out = list(cases.loc[cases["split"] == "test", "case"])
    torch.set_num_threads(given.threads)
    training = read_cases(results / "preprocessed", list(cases.loc[cases["split"] != "test", "case"]))
    steps = measured_steps(training, settings, given)
    settings = training_settings(params | {"train": params["train"] | {"steps": steps}}, decisions)
    trainer = Trainer(training, [], settings, "benchmark", given.device)
    rows, spent_s, left = [], 0.0, sorted(given.at)
    while left:
        start = time.perf_counter()
        trainer._train_step()
        if trainer.step % SYNC_STEPS == 0:
            wait_for(given.device)
        spent_s += given.step_ms / 1000 if given.step_ms else time.perf_counter() - start
        if spent_s >= 60 * left[0]:
            minutes = left.pop(0)
            rows.append({"minutes": minutes, "seconds": spent_s, "steps": trainer.step})
            dice = evaluate(trainer, given.data.resolve(), held_out, out / f"{minutes:g}", given)
            rows[-1] |= {"dice": float(np.mean(list(dice.values()))), "cases": dice}
            print(rows[-1], flush=True)
    return rows


def measured_steps(training: list, settings, given: argparse.Namespace) -> int:
    """Number of steps that fit into --minutes, from --step-ms or the time of 60 steps; the schedule needs it."""
    if given.step_ms:
        return int(60 * given.minutes / (given.step_ms / 1000))
    trainer = Trainer(training, [], settings, "benchmark", given.device)
    for count in (10, 60):
        wait_for(given.device)
        start = time.perf_counter()
        for _ in range(count):
            trainer._train_step()
        wait_for(given.device)
    return int(60 * given.minutes / ((time.perf_counter() - start) / count))


def evaluate(trainer: Trainer, data: Path, names: list[str], out: Path, given: argparse.Namespace) -> dict[str, float]:
    """Dice of each case on the grid of its scan; writes its probabilities there."""
    settings = trainer.settings
    window = settings.scaling.low_hu, settings.scaling.high_hu
    preparation = Preparation(settings.spacing_xyz_mm, window, "body", 12.0)
    trainer.average.eval()
    mirrors = [axes for count in range(4 if given.mirror else 1) for axes in combinations((2, 3, 4), count)]

    def network(patches: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(patches).to(given.device)
        with torch.inference_mode():
            found = [trainer.model(images.flip(axes)).flip(axes) for axes in mirrors]
            return torch.stack(found).mean(dim=0).cpu().numpy()

    scores = {}
    for name in names:
        image = read_nifti(data / name / "image.nii.gz")
        prepared = prepare_image(image, None, preparation)
        found = sliding_window(prepared.voxels_zyx, network, 1, settings.patch_zyx, 0.5, 2, window[0])
        maps = to_native_grid([(0, found)], prepared.grid, image.grid, 0.5, probability=True)
        assert maps.probability
        write_nifti(maps.probability, out / f"{name}_probability.nii.gz")
        scores[name] = dice_of(postprocess(maps.labels, LARGEST, None, False)[0], data / name / "label.nii.gz")
    return scores


def dice_of(found: Volume, label: Path) -> float:
    """Dice of the foreground of a segmentation with a label file."""
    return dice_of_masks(read_nifti(label).voxels_zyx > 0, found.voxels_zyx > 0)


def score_peer(data: Path, folder: Path) -> list[dict]:
    """Rows of nnU-Net with the mean Dice of its segmentations and of their largest components."""
    curve = json.loads((folder / "curve.json").read_text())
    rows = []
    for row in curve["rows"]:
        found = sorted((folder / f"{row['minutes']:g}").glob("*.nii.gz"))
        volumes = {path.name.removesuffix(".nii.gz"): read_nifti(path) for path in found}
        plain = {name: dice_of(volume, data / name / "label.nii.gz") for name, volume in volumes.items()}
        largest = [
            dice_of(postprocess(volume, LARGEST, None, False)[0], data / name / "label.nii.gz")
            for name, volume in volumes.items()
        ]
        row |= {"dice": float(np.mean(list(plain.values()))), "dice_largest": float(np.mean(largest)), "cases": plain}
        rows.append(row)
    return rows


def main() -> None:
    """Prepare, train and score both programs, and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--peer", help="python of an environment with nnunetv2; without it ctseg runs alone")
    parser.add_argument("--peer-folder", type=Path, help="where the peer's results lie or go; OUT/nnunet by default")
    parser.add_argument("--peer-memory-gib", type=float, default=1.0, help="that the peer plans for")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--at", type=float, nargs="+", default=[5, 10, 20, 30])
    parser.add_argument("--validation", type=int, default=10, help="how many of the last cases are held out")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--workers", type=int, default=1, help="processes of the peer that preprocess and load patches")
    parser.add_argument("--mirror", action="store_true", help="both segment with the mean over all mirror images")
    parser.add_argument("--step-ms", type=float, help="that each step of ctseg counts, instead of the time it takes")
    parser.add_argument("--set", nargs="*", default=[], help="changes of the config, as train.learning_rate=0.002")
    given = parser.parse_args()
    data, out = given.data.resolve(), given.out.resolve()
    folder = given.peer_folder or out / "nnunet"
    prepare(data, out, given)
    if given.peer:
        command = [given.peer, str(ROOT / "benchmarks" / "nnunet_timed.py"), str(data), str(folder)]
        command += ["--minutes", str(given.minutes), "--at", *map(str, given.at), "--threads", str(given.threads)]
        command += ["--memory-gib", str(given.peer_memory_gib), "--validation", str(given.validation)]
        command += ["--device", str(given.device), "--workers", str(given.workers)]
        subprocess.run(command + ["--mirror"] * given.mirror, check=True)
    rows = [{"program": "ctseg", **row} for row in train(out, train_params(out), given)]
    if (folder / "curve.json").exists():
        rows += [{"program": "nnunet", **row} for row in score_peer(data, folder)]
    table = pd.DataFrame(rows)
    table.to_csv(out / "real_ct.tsv", sep="\t", index=False)
    print(table.drop(columns="cases").to_string(index=False))


if __name__ == "__main__":
    main()
