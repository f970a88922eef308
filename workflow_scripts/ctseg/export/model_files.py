"""Export of trained weights to model files."""

import hashlib
import io
import logging
import warnings
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

import onnx
import torch

from ctseg.decisions import Stored, settings_from
from ctseg.files import atomic_path
from ctseg.geometry.hounsfield import Scaling
from ctseg.geometry.volume import Shape
from ctseg.inference.model_card import METADATA_KEY, InferSettings, ModelCard
from ctseg.jobs.refusals import trainable
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.architectures import SegmentationModel, build_network
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.planned import preparation_of
from ctseg.training.settings import network_settings, scaling_of

OPSET = 18
PACKAGES = ("torch", "monai", "onnx", "numpy", "SimpleITK")
MOST_SIZE = 2**20  # of a batch, and of a window in units of the network's multiple
WORKSPACE = 1.5  # memory of an engine relative to the values computed; 1.3 was measured with OpenVINO


Weights = dict[str, Any]  # content of a weight file: network, training_hash and patch_zyx


def read_weights(paths: Sequence[str | Path]) -> list[Weights]:
    """Contents of the weight files of all members of a model."""
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


def window_bytes(model: SegmentationModel, patch_zyx: Shape) -> float:
    """Largest memory in bytes for each voxel of a window while the model runs.

    Counted over the steps of the computation: all values that a later step still reads, times `WORKSPACE` for other
    memory of engines.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own internals
        program = torch.export.export(model, (torch.zeros(1, 1, *patch_zyx),), strict=False)
    nodes = list(program.graph.nodes)
    last_use = {used: number for number, node in enumerate(nodes) for used in node.all_input_nodes}
    alive, peak = 0, 0
    for number, node in enumerate(nodes):
        alive += _bytes(node)
        peak = max(peak, alive)
        alive -= sum(_bytes(used) for used in node.all_input_nodes if last_use[used] == number)
    return round(WORKSPACE * peak / prod(patch_zyx), 1)


def _bytes(node: torch.fx.Node) -> int:
    """Bytes of the tensor that a step computes; 0 for inputs of the graph without five axes, such as biases."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or (node.op == "placeholder" and value.ndim != 5):
        return 0
    return value.numel() * value.element_size()


def model_card(
    params: dict[str, Any],
    decisions: Stored,
    postprocessing: dict[str, Any],
    infer: InferSettings,
    weights: Sequence[Weights],
    model: SegmentationModel,
    trained_on: dict[str, list[float]] | None = None,
    provenance: str = "",
) -> ModelCard:
    """The card of a model from the rule's params, the plan's decisions, postprocessing, and inference settings."""
    # A member has a smaller patch if its memory ran out; the smallest is the largest that all members have seen.
    patch_zyx = tuple(min(sizes) for sizes in zip(*(stored["patch_zyx"] for stored in weights), strict=True))
    network = network_settings(params["network"], decisions)
    trained = trainable(list(params["patients"]), decisions, "that was trained on")
    return ModelCard(
        labels=tuple(params["labels"]),
        preparation=preparation_of(decisions, params["margin_mm"]),
        patch_zyx=patch_zyx,
        multiple_zyx=network.multiple_zyx,
        window_bytes=window_bytes(model, patch_zyx),
        infer=infer,
        threshold=postprocessing["threshold"],
        postprocess=settings_from(postprocessing, PostprocessSettings),
        n_networks=len(weights),
        training_cases=len(trained),
        training_patients=len({params["patients"][case] for case in trained}),
        phantom=params["phantom"],
        training_hash=training_hash(weights),
        versions={name: version(name) for name in PACKAGES},
        trained_on=trained_on or {},
        provenance=provenance,
        network=network,
        scaling=scaling_of(decisions),
        lungs=params.get("lungs", "threshold"),
    )


def training_hash(weights: Sequence[Weights]) -> str:
    """One hash for the training data of all members, from the hashes stored with their weights."""
    hashes = [stored["training_hash"] for stored in weights]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def export_onnx(model: SegmentationModel, card: ModelCard, path: str | Path) -> None:
    """Write the model as ONNX with free batch and window sizes and the card in its metadata, atomically.

    Input `hu`: float32 [batch, 1, z, y, x]; output `probabilities`: float32 [batch, class, z, y, x]. Sizes along z, y
    and x are multiples of the card's `multiple_zyx`, which the shapes in the graph state, as `8*z`.
    """
    # The exporter would treat a size of one block as fixed.
    example = torch.zeros(
        2, 1, *(max(size, 2 * block) for size, block in zip(card.patch_zyx, card.multiple_zyx, strict=True))
    )
    sizes = {0: torch.export.Dim("batch", min=1, max=MOST_SIZE)}
    for axis, (name, multiple) in enumerate(zip("zyx", card.multiple_zyx, strict=True), start=2):
        blocks = torch.export.Dim(name, min=1, max=MOST_SIZE)
        sizes[axis] = multiple * blocks if multiple > 1 else blocks
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
    del graph.graph.metadata_props[:]  # the exporter's notes, in another order each time
    for node in graph.graph.node:
        del node.metadata_props[:]  # stack traces of the exporting machine
        node.doc_string = ""
    onnx.helper.set_model_props(graph, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(graph)
    with atomic_path(path) as partial:
        onnx.save(graph, str(partial))


def export_torchscript(model: SegmentationModel, card: ModelCard, path: str | Path) -> None:
    """Write the model as TorchScript for libtorch, with the card as its extra file `ctseg.json`, atomically.

    The graph runs on any device: none of its tensors is bound to a device, or computed from shapes, which a trace turns
    into tensors on the CPU.
    """
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # TorchScript announces its successor
        traced = torch.jit.trace(model.eval(), torch.zeros(2, 1, *card.patch_zyx), check_trace=False)
        archive = io.BytesIO()
        torch.jit.save(traced, archive, _extra_files={"ctseg.json": card.to_json()})
    with atomic_path(path) as partial:
        write_without_traces(archive, partial)


def write_without_traces(archive: io.BytesIO, path: Path) -> None:
    """Copy a TorchScript archive without records that differ between runs or describe the exporting machine.

    The `.debug_pkl` records hold source paths, `.data/serialization_id` their checksum; loading needs neither.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith((".debug_pkl", "/.data/serialization_id")):
                target.writestr(zipfile.ZipInfo(record.filename), source.read(record))
