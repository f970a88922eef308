"""Segmentation of a scan with a model, on the scan's own grid: the common path of all predictions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ctseg.geometry.volume import Shape, Volume
from ctseg.inference.engines import Engine, mirrored
from ctseg.inference.model_card import InferSettings, ModelCard
from ctseg.inference.native_grid import Maps, to_native_grid
from ctseg.inference.sliding_window import Tiling, large_windows, slabs, tiling
from ctseg.lungs.segment import segment_lungs
from ctseg.masks.postprocessing import postprocess_and_measure
from ctseg.preprocessing.preparation import air_hu, network_input, prepare_rows

if TYPE_CHECKING:  # torch
    from ctseg.inference.torch_engine import TorchEngine

MEMORY_GIB = 1.5  # default limit for windows

Progress = Callable[[int, int], None]  # called with the number of rows done, and of all rows
Step = Callable[[str], None]  # called with the step that begins: lungs, network, components


@dataclass(frozen=True)
class Prediction:
    """A segmentation (uint8, classes 1…n) on the scan's grid, its components, and the facts of postprocessing.

    `lungs` are the facts of the lung field if the model works inside the lungs, as of the workflow's
    `lungs/<case>.json`. `entropy` is the map of the network's uncertainty, as of `native_grid.Maps`, if requested; the
    mean of each component is in its row in any case.
    """

    segmentation: Volume
    components: list[dict[str, Any]]
    facts: dict[str, Any]
    lungs: dict[str, Any] | None = None
    entropy: Volume | None = None


def tiles_for(
    shape_zyx: Shape, engine: Engine, settings: InferSettings, memory_gib: float, gpu_memory_gib: float | None
) -> Tiling:
    """The windows of an engine over a volume on the network's grid; on a GPU within half of its memory limit."""
    if engine.on_gpu:
        from ctseg.inference.gpu_inference import DeviceSettings  # torch

        memory_gib = DeviceSettings(gpu_memory_gib).memory_on(cast("TorchEngine", engine).device) / 2
    return windows_for(shape_zyx, engine.card, settings, memory_gib)


def windows_for(shape_zyx: Shape, card: ModelCard, settings: InferSettings, memory_gib: float) -> Tiling:
    """The windows of a model over a volume on the network's grid."""
    if settings.window == "patch":
        return tiling(shape_zyx, card.patch_zyx, card.patch_zyx, settings.overlap)
    return large_windows(
        shape_zyx,
        card.patch_zyx,
        settings.overlap,
        card.multiple_zyx,
        len(card.labels),
        card.window_bytes,
        memory_gib * 2**30,
    )


def infer(
    image: Volume,
    lungs: Volume | None,
    engine: Engine,
    settings: InferSettings | None = None,
    memory_gib: float = MEMORY_GIB,
    threshold: float | None = None,
    probability: bool = False,
    entropy: bool = False,
    batch_size: int | None = None,
    progress: Progress | None = None,
    gpu_memory_gib: float | None = None,
    entropy_of_found: bool = False,
) -> Maps:
    """The network's label map on the image's grid, before postprocessing, with other maps if requested.

    `image` holds HU; `lungs` is its lung field if the model works inside the lungs and the field is plausible. Settings
    and threshold are those of the model if no others are given. One slab at a time is prepared, computed and resampled
    to the image's grid. So `memory_gib` bounds the memory in addition to image and maps, and `gpu_memory_gib` that of a
    GPU. `batch_size` windows are computed at once; the default is 1, or on a GPU the number that fits. The other maps
    are those of `native_grid.to_native_grid`.
    """
    card = engine.card
    settings = settings or card.infer
    window_hu = card.preparation.window_hu
    threshold = card.threshold if threshold is None else threshold
    part, grid = network_input(image, lungs, card.preparation)
    tiles = tiles_for(grid.shape_zyx, engine, settings, memory_gib, gpu_memory_gib)
    if engine.on_gpu:
        from ctseg.inference.gpu_inference import DeviceSettings, MapsWanted, infer_on_device  # torch

        on_gpu = cast("TorchEngine", engine)
        device = DeviceSettings(gpu_memory_gib, batch_size)
        wanted = MapsWanted(threshold, probability, entropy, entropy_of_found)
        return infer_on_device(image, part, grid, tiles, on_gpu, settings.mirror_axes, wanted, device, progress)

    def read_rows(first: int, stop: int) -> np.ndarray:
        return prepare_rows(part, grid, first, stop, window_hu)

    found = slabs(
        read_rows,
        tiles,
        mirrored(engine, settings.mirror_axes),
        len(card.labels),
        batch_size or 1,
        air_hu(window_hu),
        window_hu[0],
    )
    told = _telling(found, grid.shape_zyx[0], progress) if progress else found
    return to_native_grid(told, grid, image.grid, threshold, probability, entropy, entropy_of_found=entropy_of_found)


def _telling(
    found: Iterable[tuple[int, np.ndarray]], rows: int, progress: Progress
) -> Iterable[tuple[int, np.ndarray]]:
    """Yield the same slabs, and report the progress after each."""
    for first, slab in found:
        yield first, slab
        progress(first + slab.shape[1], rows)


def predict(
    image: Volume,
    engine: Engine,
    memory_gib: float = MEMORY_GIB,
    entropy: bool = False,
    progress: Progress | None = None,
    gpu_memory_gib: float | None = None,
    step: Step = lambda name: None,
) -> Prediction:
    """Segment a scan: lung field if the model needs one, network, postprocessing, components.

    `image` holds int16 HU on any grid. Only the scan and the model file are needed.
    """
    card = engine.card
    lungs, lungs_facts, plausible = None, None, False
    if card.preparation.region == "lungs":
        step("lungs")
        lungs, found = segment_lungs(image, card.lungs)
        lungs_facts = {"source": "computed"} | found
        plausible = bool(found["plausible"])
    step("network")
    maps = infer(
        image,
        lungs if plausible else None,
        engine,
        memory_gib=memory_gib,
        entropy=entropy,
        progress=progress,
        gpu_memory_gib=gpu_memory_gib,
        entropy_of_found=True,
    )
    step("components")
    segmentation, components, facts = postprocess_and_measure(
        maps.labels, image, card.postprocess, lungs, plausible, maps.entropy
    )
    return Prediction(segmentation, components, facts, lungs_facts, maps.entropy if entropy else None)
