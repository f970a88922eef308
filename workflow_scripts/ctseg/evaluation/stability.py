"""Stability of a segmentation: its change when the network's grid is shifted by a fraction of a voxel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctseg.digits import four_decimals, two_decimals
from ctseg.files import Format
from ctseg.geometry.volume import Grid, Triple, Volume
from ctseg.inference.engines import Engine
from ctseg.inference.model_card import ModelCard
from ctseg.inference.predict import infer
from ctseg.masks.overlap import dice
from ctseg.masks.postprocessing import postprocess
from ctseg.preprocessing.preparation import Preparation

HALF = 0.5
# Shifts of the network's grid in its own voxels along x, y, z: half a voxel along each axis, and along all three, the
# largest possible distance from all voxel centres of the first grid.
SHIFTS: tuple[Triple, ...] = ((HALF, 0.0, 0.0), (0.0, HALF, 0.0), (0.0, 0.0, HALF), (HALF, HALF, HALF))
# Order and format of the columns of a table.
COLUMNS: dict[str, Format] = {
    "label": "",
    "volume_cm3": four_decimals,
    "smallest_volume_cm3": four_decimals,
    "largest_volume_cm3": four_decimals,
    "volume_range_percent": ".2f",
    "smallest_dice": ".4f",
}


@dataclass(frozen=True)
class Shifted(Preparation):
    """Preparation of a model with a shifted network grid; `shift_xyz` is in voxels along the grid's own axes x, y, z.

    The grid has one more voxel along each shifted axis, so that it still covers the whole part.
    """

    shift_xyz: Triple = (0.0, 0.0, 0.0)

    def network_grid(self, part: Grid) -> Grid:
        """The shifted grid over a part of a scan."""
        grid = super().network_grid(part)
        start_xyz = np.array([shift - 1 if shift > 0 else 0.0 for shift in self.shift_xyz])
        more_xyz = np.array(self.shift_xyz) > 0
        shape = tuple((np.array(grid.shape_zyx) + more_xyz[::-1]).tolist())
        return replace(grid, shape_zyx=shape, origin_xyz_mm=tuple(grid.points_xyz_mm(start_xyz[::-1])[0].tolist()))


class ShiftedEngine:
    """Wrapper of an engine: the same network, and a card with a shifted network grid."""

    def __init__(self, engine: Engine, shift_xyz: Triple) -> None:
        """Wrap `engine`; `shift_xyz` is in voxels of the network's grid."""
        card: ModelCard = engine.card
        given = card.preparation
        prepared = Shifted(given.spacing_xyz_mm, given.window_hu, given.region, given.margin_mm, shift_xyz)
        self.card, self.name, self._engine = replace(card, preparation=prepared), engine.name, engine

    def __getattr__(self, name: str) -> Any:
        """All other attributes of the wrapped engine."""
        return getattr(self._engine, name)

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        return self._engine(patches)


def stability(
    segmentation: Volume, image: Volume, lungs: Volume | None, plausible: bool, engine: Engine, **how: Any
) -> list[dict[str, Any]]:
    """One row per label with volumes and Dice of a segmentation over `SHIFTS`, with the keys of `COLUMNS`.

    `segmentation` (uint8, classes 1…n) is the engine's result for `image` (HU, the same grid) after postprocessing.
    `lungs` is the lung field if the model works inside the lungs; it is used only if it is `plausible`. `how` are
    further arguments of `predict.infer`. `volume_range_percent` is the range of the volume over all grids, the first
    one included, in percent of the first volume; it is NaN if the first segmentation is empty. `smallest_dice` is the
    lowest Dice of a shifted segmentation with the first one; it is NaN if all are empty.
    """
    moved = []
    for shift in SHIFTS:
        shifted = ShiftedEngine(engine, shift)
        field = lungs if plausible else None
        labels = infer(image, field, shifted, **how).labels
        moved.append(postprocess(labels, engine.card.postprocess, lungs, plausible)[0])
    return [_row(value, name, segmentation, moved) for value, name in enumerate(engine.card.labels, start=1)]


def _row(value: int, name: str, segmentation: Volume, moved: Sequence[Volume]) -> dict[str, Any]:
    """Row of the class `value`; `moved` are the segmentations of the shifted grids."""
    first = segmentation.voxels_zyx == value
    own, counts, dices = int(np.count_nonzero(first)), [], []
    for other in (volume.voxels_zyx == value for volume in moved):
        counts.append(int(np.count_nonzero(other)))
        dices.append(dice(np.count_nonzero(first & other), own, counts[-1]))
    smallest, largest = min(own, *counts), max(own, *counts)
    voxel_cm3 = segmentation.grid.voxel_volume_mm3 / 1000
    return {
        "label": name,
        "volume_cm3": own * voxel_cm3,
        "smallest_volume_cm3": smallest * voxel_cm3,
        "largest_volume_cm3": largest * voxel_cm3,
        "volume_range_percent": (largest - smallest) / own * 100 if own else float("nan"),
        "smallest_dice": min((value for value in dices if not math.isnan(value)), default=math.nan),
    }


def told(row: dict[str, Any]) -> str:
    """A row of `stability` as a sentence for the terminal."""
    if not row["largest_volume_cm3"]:
        return f"{row['label']}: nothing is found with the grid of the network shifted by half a voxel, either"
    low, high = (two_decimals(row[f"{which}_volume_cm3"]) for which in ("smallest", "largest"))
    return (
        f"{row['label']}: with the grid of the network shifted by half a voxel the volume goes from {low} to {high} "
        f"cm³, and the Dice with this segmentation goes down to {row['smallest_dice']:.3f}"
    )
