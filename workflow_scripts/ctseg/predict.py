"""A scan and a model in, a segmentation on the scan's own grid out: the one path that all predictions take."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.components import measure_components
from ctseg.engines import OnnxRuntimeEngine
from ctseg.lungs import check_lungs, segment_lungs
from ctseg.postprocessing import postprocess
from ctseg.preparation import prepare_image
from ctseg.resample import bounding_box, resample
from ctseg.segmentation import label_map
from ctseg.volume import Grid, Volume
from ctseg.windows import sliding_window


@dataclass(frozen=True)
class Prediction:
    """A segmentation (uint8, classes 1…n) on the scan's grid, its components, and what postprocessing did."""

    segmentation: Volume
    components: list[dict[str, Any]]
    facts: dict[str, Any]


def infer(image: Volume, lungs: Volume | None, engine: OnnxRuntimeEngine, batch_size: int) -> Volume:
    """The network's label map (uint8) on the image's grid, before postprocessing.

    `image` holds HU; `lungs` is its lung field if the model works inside the lungs and the field is plausible.
    """
    return infer_with_certainty(image, lungs, engine, batch_size, engine.card.threshold)[0]


def infer_with_certainty(
    image: Volume, lungs: Volume | None, engine: OnnxRuntimeEngine, batch_size: int, threshold: float
) -> tuple[Volume, Volume]:
    """The label map as of `infer` at a threshold of one's own, and the probability of each voxel's class in 255ths."""
    card = engine.card
    prepared = prepare_image(image, lungs, card.preparation)
    probabilities = sliding_window(
        prepared.voxels_zyx,
        engine,
        len(card.labels),
        card.patch_zyx,
        card.overlap,
        batch_size,
        card.preparation.window_hu[0],
    )
    return on_grid(probabilities, prepared.grid, image.grid, threshold)


def on_grid(probabilities: np.ndarray, grid: Grid, target: Grid, threshold: float) -> tuple[Volume, Volume]:
    """Bring probabilities [class, z, y, x] from `grid` to `target` linearly, and decide there.

    Returns the label map and, where it is not 0, the probability of that class in 255ths (both uint8). Only the part of
    `target` around voxels that reach the threshold is resampled. The result is the same as for the whole: between
    values below the threshold, linear interpolation stays below it.
    """
    labels = np.zeros(target.shape_zyx, dtype=np.uint8)
    certainty = np.zeros(target.shape_zyx, dtype=np.uint8)
    box = bounding_box(probabilities.max(axis=0) >= threshold)
    if box is not None:
        # One voxel more on each side: half-way to its neighbours a voxel still counts.
        corners = np.array(list(np.ndindex(2, 2, 2)))
        low = np.array([axis.start for axis in box]) - 1
        high = np.array([axis.stop for axis in box])
        indices = target.indices_zyx(grid.points_xyz_mm(low + corners * (high - low)))
        first = np.clip(np.floor(indices.min(axis=0)).astype(int), 0, target.shape_zyx)
        last = np.clip(np.ceil(indices.max(axis=0)).astype(int) + 1, 0, target.shape_zyx)
        part = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        if all(axis.stop > axis.start for axis in part):
            window = target.cropped(part)  # type: ignore[arg-type]
            moved = [resample(Volume(channel, grid), window, fill=0).voxels_zyx for channel in probabilities]
            labels[part] = label_map(np.stack(moved), threshold)
            certainty[part] = np.where(labels[part], np.rint(np.max(moved, axis=0) * 255), 0)
    return Volume(labels, target), Volume(certainty, target)


def predict(image: Volume, engine: OnnxRuntimeEngine, batch_size: int = 2) -> Prediction:
    """Segment a scan: lung field if the model wants one, network, postprocessing, components.

    `image` holds int16 HU on any grid. Nothing but the scan and the model file is needed.
    """
    card = engine.card
    lungs, plausible = None, False
    if card.preparation.region == "lungs":
        lungs = segment_lungs(image)
        plausible = bool(check_lungs(lungs, image)["plausible"])
    raw = infer(image, lungs if plausible else None, engine, batch_size)
    segmentation, facts = postprocess(raw, card.postprocess, lungs, plausible)
    return Prediction(segmentation, measure_components(segmentation, image), facts)
