"""A model as a MONAI bundle: a folder that `monai.bundle`, MONAI Label, and 3D Slicer with MONAI Label can run.

The layout is that of MONAI's bundle specification (https://docs.monai.io/en/latest/mb_specification.html). The bundle
needs ctseg in addition to MONAI, since resampling, lung field, windows and postprocessing are ctseg's: MONAI's
transforms would produce another mask than the one that was measured.
"""

import json
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import torch

from ctseg.files import atomic_path, write_json, write_text
from ctseg.inference.model_card import ModelCard
from ctseg.inference.torch_engine import read_torchscript
from ctseg.plurals import listed
from ctseg.version import VERSION

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
USE = "Research only: no medical device, not for diagnosis or treatment."
CODE = "ctseg.bundle.inferer"
PACKAGES = ("nibabel", "SimpleITK", "scipy", "connected-components-3d")
README = Template(
    """# $title

Segments $labels in CT scans. A 3-D network of ctseg, trained on $data. $use

The bundle gives the same mask as `ctseg predict` with the engine torch, and logs the same cautions: it takes ctseg's
own path from the scan to the mask. ctseg $version must be installed beside MONAI (`pip install` of its folder), as well
as `pip install "monai[fire]" pytorch-ignite`.

    python -m monai.bundle run --config_file configs/inference.json --bundle_root . \\
        --dataset_dir SCANS --output_dir MASKS

segments each .nii and .nii.gz in SCANS. Voxels must be Hounsfield units. MONAI reads DICOM without ctseg's checks for
missing slices; `ctseg predict` has them.

* Input: one scan in HU, on any grid; output: 0 background, $classes.
* The network alone takes HU on a grid of $spacing mm and gives probabilities, background first.
* Region: $region. Threshold: $threshold. Networks: $networks.
"""
)


def write_bundle(model: str | Path, folder: str | Path, licence: str) -> None:
    """Write the bundle of a model.ts, or of the one of the same name as a model.onnx, into a folder.

    `licence` is the text of the licence under which it is distributed. The same model gives the same bytes. Raises
    ModelError if the model cannot be read, or does not describe its network.
    """
    card, weights = read_torchscript(Path(model))
    root = Path(folder)
    for name in ("configs", "models", "docs"):
        (root / name).mkdir(parents=True, exist_ok=True)
    write_json(root / "configs" / "metadata.json", metadata(card))
    write_json(root / "configs" / "inference.json", inference())
    write_json(root / "configs" / "card.json", json.loads(card.to_json()))
    with atomic_path(root / "models" / "model.pt") as partial:
        torch.save({f"model.{name}": value for name, value in weights.items()}, partial)
    write_text(root / "docs" / "README.md", readme(card))
    write_text(root / "LICENSE", licence)


def inference() -> dict[str, Any]:
    """The config of a run that segments all NIfTI files of a folder."""
    return {
        "imports": ["$import glob"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/scans'",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$[{'image': path} for path in sorted(glob.glob(@dataset_dir + '/*.nii*'))]",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "card": {
            "_target_": "ctseg.inference.model_card.read_card_file",
            "path": "$@bundle_root + '/configs/card.json'",
        },
        "network_def": {"_target_": f"{CODE}.BundleNetwork", "card": "@card"},
        "network": "$@network_def.to(@device, memory_format=torch.channels_last_3d)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "ensure_channel_first": True},
                {"_target_": "EnsureTyped", "keys": "image", "track_meta": True},
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": f"{CODE}.CtsegInferer", "card": "@card"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_ext": ".nii.gz",
                    "output_postfix": "seg",
                    "output_dtype": "$numpy.uint8",
                    "resample": False,
                    "separate_folder": False,
                }
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "amp": False,
        },
        "weights": "$torch.load(@bundle_root + '/models/model.pt', map_location=@device, weights_only=True)",
        "initialize": ["$@network.load_state_dict(@weights)"],
        "run": ["$@evaluator.run()"],
    }


def metadata(card: ModelCard) -> dict[str, Any]:
    """Metadata of the bundle, in the terms of MONAI's schema."""
    channels = {str(number): name for number, name in enumerate(("background", *card.labels))}
    shape = [f"{multiple}*n" for multiple in card.multiple_zyx]
    patch = {"spatial_shape": shape, "dtype": "float32", "is_patch_data": True}
    image = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, **patch}
    pred = {"type": "image", "format": "probabilities", "num_channels": len(channels), **patch}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "changelog": {VERSION: "exported by ctseg"},
        "monai_version": version("monai"),
        "pytorch_version": card.versions.get("torch", version("torch")),
        "numpy_version": version("numpy"),
        "required_packages_version": {"ctseg": VERSION, **{name: version(name) for name in PACKAGES}},
        "optional_packages_version": {},
        "name": title(card),
        "task": f"Segmentation of {listed(card.labels)} in CT",
        "description": f"Segments {listed(card.labels)} in CT scans; trained on {card.training_data}",
        "authors": "see the study that the model was trained in",
        "copyright": "see LICENSE",
        "data_source": "see the study that the model was trained in",
        "data_type": "nibabel",
        "image_classes": "one channel, Hounsfield units",
        "label_classes": ", ".join(f"{number} is {name}" for number, name in channels.items()),
        "pred_classes": f"{len(channels)} channels: background, {', '.join(card.labels)}",
        "eval_metrics": {},
        "intended_use": USE,
        "references": [],
        "network_data_format": {
            "inputs": {"image": image | {"value_range": [], "channel_def": {"0": "image"}}},
            "outputs": {"pred": pred | {"value_range": [0, 1], "channel_def": channels}},
        },
    }


def readme(card: ModelCard) -> str:
    """Text of the bundle's docs/README.md."""
    classes = ", ".join(f"{number} {name}" for number, name in enumerate(card.labels, start=1))
    return README.substitute(
        title=title(card),
        labels=listed(card.labels),
        data=card.training_data,
        use=USE,
        version=VERSION,
        classes=classes,
        spacing=" × ".join(f"{size:g}" for size in card.preparation.spacing_xyz_mm),
        region=card.preparation.region,
        threshold=f"{card.threshold:g}",
        networks=card.n_networks,
    )


def title(card: ModelCard) -> str:
    """Title of the bundle."""
    return f"CT segmentation: {listed(card.labels)}"
