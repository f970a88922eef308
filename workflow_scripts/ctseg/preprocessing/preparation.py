"""Preparation of a scan for the network: the same functions for training, evaluation and new scans."""

from dataclasses import dataclass

import numpy as np

from ctseg.geometry.hounsfield import clip_hu
from ctseg.geometry.mapped_arrays import let_go
from ctseg.geometry.resample import Box, bounding_box, grow_box, orient, resample, resample_labels
from ctseg.geometry.volume import Grid, Triple, Volume

BODY_HU = -500  # between air and the lightest tissue outside the lungs


def air_hu(window_hu: tuple[float, float]) -> float:
    """HU up to which voxels count as air, where nothing is searched.

    In an HU window that ends below `BODY_HU`, as for targets filled with gas, only its lower end is air.
    """
    low, high = window_hu
    return BODY_HU if low < BODY_HU < high else low


ROWS_AT_ONCE = 32  # of the network's grid, since resampling takes several times the memory of its result


@dataclass(frozen=True)
class Preparation:
    """Settings of the preparation: voxel size, HU window, and the region (with a margin) to which scans are cropped."""

    spacing_xyz_mm: Triple
    window_hu: tuple[float, float]
    region: str  # "lungs" or "body"
    margin_mm: float

    def network_grid(self, part: Grid) -> Grid:
        """The grid of the network over a part of a scan, both with the same axes."""
        return part.with_spacing(self.spacing_xyz_mm)


def region_box(image: Volume, lungs: Volume | None, margin_mm: float) -> Box:
    """The box around the lungs, or around the body if no lung field is given, with `margin_mm` more on each side.

    If nothing is found, the box is the whole scan.
    """
    voxels, above = (image.voxels_zyx, BODY_HU) if lungs is None else (lungs.voxels_zyx, 0)
    box = bounding_box(voxels, above)
    if box is None:
        return slice(0, voxels.shape[0]), slice(0, voxels.shape[1]), slice(0, voxels.shape[2])
    return grow_box(box, margin_mm, image.grid)


def network_input(image: Volume, lungs: Volume | None, preparation: Preparation) -> tuple[Volume, Grid]:
    """Part of a scan for the network, oriented to x-left, y-back, z-head, and the network's grid over it.

    `image` holds HU. The crop is to the lung field `lungs` if the region of the preparation is the lungs and a
    plausible lung field exists (not None), else to the body. The part is a view of the scan.
    """
    inside = lungs if preparation.region == "lungs" else None
    part = orient(image.cropped(region_box(image, inside, preparation.margin_mm)))
    return part, preparation.network_grid(part.grid)


def prepare_rows(part: Volume, grid: Grid, first: int, stop: int, window_hu: tuple[float, float]) -> np.ndarray:
    """Rows `first` to `stop` − 1 along z of `grid`, resampled from `part`, clipped to the window: int16 HU [z, y, x].

    `part` and `grid` are those of `network_input`; their axes are parallel, so that few slices of the scan are needed.
    """
    prepared = np.empty((stop - first, *grid.shape_zyx[1:]), dtype=np.int16)
    for row in range(first, stop, ROWS_AT_ONCE):
        end = min(row + ROWS_AT_ONCE, stop)
        wanted = grid.cropped((slice(row, end), slice(0, grid.shape_zyx[1]), slice(0, grid.shape_zyx[2])))
        moved = resample(_slices_around(part, wanted), wanted, fill=window_hu[0])
        prepared[row - first : end - first] = clip_hu(moved.voxels_zyx, window_hu)
        let_go(part.voxels_zyx)
    return prepared


def _slices_around(part: Volume, wanted: Grid) -> Volume:
    """Slices of `part` that enclose the voxels of `wanted`."""
    around = part.grid.indices_zyx(wanted.corners_xyz_mm())[:, 0]
    low = int(np.clip(np.floor(around.min()), 0, part.grid.shape_zyx[0] - 1))
    high = int(np.clip(np.ceil(around.max()) + 1, low + 1, part.grid.shape_zyx[0]))
    return part.cropped((slice(low, high), *(slice(0, size) for size in part.grid.shape_zyx[1:])))  # type: ignore[arg-type]


def prepare_image(image: Volume, lungs: Volume | None, preparation: Preparation) -> Volume:
    """Complete input of the network for a scan: int16 HU on the network's grid."""
    part, grid = network_input(image, lungs, preparation)
    return Volume(prepare_rows(part, grid, 0, grid.shape_zyx[0], preparation.window_hu), grid)


def prepare_label(label: Volume, prepared_image: Volume, n_classes: int) -> Volume:
    """The label map (uint8, 0 background, 1…n_classes) on the grid of the prepared image."""
    return resample_labels(label, prepared_image.grid, n_classes)
