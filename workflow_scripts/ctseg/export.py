"""From trained weights to the files that are shipped, and the proof that they compute the same."""

import hashlib
import io
import logging
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from ctseg.decisions import Stored, decided
from ctseg.engines import OnnxRuntimeEngine
from ctseg.errors import InputError
from ctseg.files import atomic_path
from ctseg.intensity import Scaling
from ctseg.model import METADATA_KEY, ModelCard
from ctseg.network import NetworkSettings, SegmentationModel, build_network
from ctseg.postprocessing import PostprocessSettings
from ctseg.preparation import Preparation
from ctseg.volume import Shape

OPSET = 18
PACKAGES = ("torch", "monai", "onnx", "numpy", "SimpleITK")
DYNAMIC_AXES = (0, 2, 3, 4)  # batch, z, y, x


Weights = dict[str, Any]  # what training stores: network, training_hash and patch_zyx


def read_weights(paths: Sequence[str | Path]) -> list[Weights]:
    """The weight files of all members of a model."""
    return [torch.load(path, map_location="cpu", weights_only=True) for path in paths]


def build_model(
    weights: Sequence[Weights], settings: NetworkSettings, n_classes: int, scaling: Scaling
) -> SegmentationModel:
    """The networks of all members, with their trained weights, as one model."""
    networks = []
    for stored in weights:
        network = build_network(settings, n_classes)
        network.load_state_dict(stored["network"])
        networks.append(network.eval())
    return SegmentationModel(networks, scaling, settings.exclusive).eval()


def model_card(
    step: dict[str, Any], decisions: Stored, cleaning: dict[str, Any], weights: Sequence[Weights]
) -> ModelCard:
    """The card of a model from the step's params, the plan's decisions, and threshold and postprocessing."""
    return ModelCard(
        labels=tuple(step["labels"]),
        preparation=Preparation(
            tuple(decided(decisions, "spacing_mm")),
            tuple(decided(decisions, "window_hu")),
            decided(decisions, "region"),
            step["margin_mm"],
        ),
        # Where one member's memory ran out and its patch was made smaller, that is the largest that all have seen.
        patch_zyx=tuple(min(sizes) for sizes in zip(*(stored["patch_zyx"] for stored in weights), strict=True)),
        overlap=step["overlap"],
        threshold=cleaning["threshold"],
        postprocess=PostprocessSettings(**{field.name: cleaning[field.name] for field in fields(PostprocessSettings)}),
        n_networks=len(weights),
        training_cases=step["training_cases"],
        training_hash=training_hash(weights),
        versions={name: version(name) for name in PACKAGES},
    )


def training_hash(weights: Sequence[Weights]) -> str:
    """One hash for the training data of all members, from the hashes that their weights carry."""
    hashes = [stored["training_hash"] for stored in weights]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def export_onnx(model: SegmentationModel, card: ModelCard, path: str | Path) -> None:
    """Write the model as ONNX with free batch and patch sizes and the card in its metadata, atomically.

    Input `hu`: float32 [batch, 1, z, y, x]; output `probabilities`: float32 [batch, class, z, y, x].
    """
    example = torch.zeros(2, 1, *card.patch_zyx)
    sizes = dict.fromkeys(DYNAMIC_AXES, torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            model.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["hu"],
            output_names=["probabilities"],
            dynamic_shapes=(sizes,),
        )
    assert program is not None
    graph = program.model_proto
    graph.doc_string = "CT segmentation by ctseg"
    for node in graph.graph.node:
        del node.metadata_props[:]  # stack traces of the exporting machine
        node.doc_string = ""
    onnx.helper.set_model_props(graph, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(graph)
    with atomic_path(path) as partial:
        onnx.save(graph, str(partial))


def export_torchscript(model: SegmentationModel, card: ModelCard, path: str | Path) -> None:
    """Write the model as TorchScript for libtorch, with the card as its extra file `ctseg.json`, atomically."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # TorchScript announces its successor
        traced = torch.jit.trace(model.eval(), torch.zeros(2, 1, *card.patch_zyx), check_trace=False)
        archive = io.BytesIO()
        torch.jit.save(traced, archive, _extra_files={"ctseg.json": card.to_json()})
    with atomic_path(path) as partial:
        write_without_traces(archive, partial)


def write_without_traces(archive: io.BytesIO, path: Path) -> None:
    """Copy a TorchScript archive without what differs from run to run or tells of the exporting machine.

    The `.debug_pkl` records hold source paths, `.data/serialization_id` their checksum; loading needs neither.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith((".debug_pkl", "/.data/serialization_id")):
                target.writestr(zipfile.ZipInfo(record.filename), source.read(record))


def parity_sizes(patch_zyx: Shape, multiple_zyx: Shape) -> list[tuple[int, int, int, int]]:
    """Three input sizes (batch, z, y, x) to compare at: the patch, a smaller and a longer one, of several batches."""
    depth, height, width = patch_zyx
    small = [2 * multiple for multiple in multiple_zyx]  # instance norm needs more than one voxel at the coarsest level
    return [
        (1, depth, height, width),
        (3, small[0], small[1], small[2]),
        (2, depth + multiple_zyx[0], height, small[2]),
    ]


def compare(
    model: SegmentationModel, onnx_path: str | Path, torchscript_path: str | Path, multiple_zyx: Shape, seed: int
) -> list[dict[str, Any]]:
    """Run all three on random HU of three sizes; one row a size with the largest differences of a probability."""
    engine = OnnxRuntimeEngine(onnx_path, threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.load(str(torchscript_path))
    rng = np.random.default_rng(seed)
    low, high = engine.card.preparation.window_hu
    rows = []
    for batch, depth, height, width in parity_sizes(engine.card.patch_zyx, multiple_zyx):
        hu = rng.uniform(low - 100, high + 100, (batch, 1, depth, height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = model.eval()(torch.from_numpy(hu)).numpy()
            from_script = scripted(torch.from_numpy(hu)).numpy()
        rows.append(
            {
                "shape": list(hu.shape),
                "onnx_max_difference": float(np.abs(engine(hu) - expected).max()),
                "torchscript_max_difference": float(np.abs(from_script - expected).max()),
            }
        )
    return rows


def require_parity(rows: list[dict[str, Any]], tolerance: float) -> None:
    """Raise InputError when any exported model differs from torch by more than `tolerance`."""
    worst = max(max(row["onnx_max_difference"], row["torchscript_max_difference"]) for row in rows)
    if not worst <= tolerance:
        raise InputError(
            f"the exported model differs from the trained one by {worst:.2g}, more than "
            f"export_model.parity_tolerance = {tolerance:g}; it must not be used"
        )
