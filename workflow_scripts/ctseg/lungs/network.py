"""The lung field by a small network: the whole space inside the pleura, with its diseased parts, on a grid of 3 mm.

The network is ctseg's own, made by `ctseg.lung_training`; its file is in the folder of this module. It sees the whole
chest at once, since a lung full of fluid or tumour is recognised by its surroundings. It runs in one thread, so that
the same scan gives the same bytes on any number of cores.
"""

from pathlib import Path

import cc3d
import numpy as np
from scipy import ndimage

from ctseg.geometry.resample import bounding_box, grow_box, resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.lungs.coarse import FULL, HALF, SURE_NOT
from ctseg.lungs.network_file import LUNG_NETWORK

SPACING_MM = 3.0
MULTIPLE = 16  # sizes of the network's input are multiples of this
BODY_HU, BODY_MARGIN_MM = -500, 9.0  # of the box around the largest thick part above this density
WINDOW, SHARED = 160, 64  # slices computed at once, which bounds the memory, and slices shared by two windows
SMALLEST_LUNG_CM3 = 60.0
SMALLER_PART = 0.15  # of the largest part of a side; smaller parts are not lung


def network_lungs(coarse: Volume, path: Path = LUNG_NETWORK) -> Volume:
    """The lung field on voxels of 3 mm, each voxel's share as uint8 of 0…`FULL`; all 0 if no lung is found.

    `coarse` is an image on the working grid, in HU.
    """
    grid = coarse.grid.with_spacing((SPACING_MM,) * 3)
    image = resample(coarse, grid, fill=AIR_HU).voxels_zyx
    share = np.zeros(grid.shape_zyx, np.uint8)
    box = body_box(image, grid)
    if box is not None:
        share[box] = lung_share(probabilities(image[box], path), grid)
    return Volume(share, grid)


def body_box(image_zyx: np.ndarray, grid: Grid) -> tuple[slice, slice, slice] | None:
    """Box around the largest solid part with a margin, over all slices, since lungs may be cut; None without one."""
    solid = ndimage.grey_erosion((image_zyx > BODY_HU).astype(np.uint8), size=3)
    parts = cc3d.connected_components(solid, connectivity=6)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    box = bounding_box(parts == sizes.argmax()) if sizes.any() else None
    if box is None:
        return None
    _, y, x = grow_box(box, BODY_MARGIN_MM + SPACING_MM, grid)
    return slice(0, image_zyx.shape[0]), y, x


def probabilities(image_zyx: np.ndarray, path: Path) -> np.ndarray:
    """Probabilities of the right and the left lung, float32 [2, z, y, x], of float32 HU on the network's grid.

    A long scan is computed in windows of slices. Of the slices that two windows share, each provides the nearer half.
    """
    import onnxruntime as ort  # import takes 0.2 s

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    slices = image_zyx.shape[0]
    found = np.empty((2, *image_zyx.shape), np.float32)
    starts = range(0, max(1, slices - SHARED), WINDOW - SHARED)
    for start in starts:
        stop = min(start + WINDOW, slices)
        first = start + SHARED // 2 if start else 0
        window = _padded(image_zyx[start:stop])
        part = session.run(None, {"hu": window[None, None]})[0][0]
        _, height, width = image_zyx.shape
        found[:, first:stop] = part[:, first - start : stop - start, :height, :width]
    return found


def _padded(image_zyx: np.ndarray) -> np.ndarray:
    """The image with air appended along each axis, so that its sizes are multiples of `MULTIPLE`."""
    ends = [(0, -size % MULTIPLE) for size in image_zyx.shape]
    return np.pad(image_zyx, ends, constant_values=AIR_HU)


def lung_share(probabilities_czyx: np.ndarray, grid: Grid) -> np.ndarray:
    """Share of each voxel in the field, uint8 of 0…`FULL`, from probabilities of both lungs.

    Small parts are less than half inside.
    """
    total = probabilities_czyx.sum(axis=0)
    right = probabilities_czyx[0] >= probabilities_czyx[1]
    field = np.zeros(total.shape, bool)
    for side in (right, ~right):
        field |= _parts_of_a_lung((total >= 0.5) & side, grid)
    # The falling probability around the field is kept, so that the interpolated surface is between voxels.
    near = ndimage.binary_dilation(field, iterations=2)
    share = np.rint(total * FULL).astype(np.uint8)
    share[~near & (total < SURE_NOT)] = 0
    share[~field] = np.minimum(share[~field], HALF - 1)
    share[field] = np.maximum(share[field], FULL // 2)
    return share


def _parts_of_a_lung(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """The parts of one lung's mask that are large enough, with their holes filled."""
    parts = cc3d.connected_components(mask, connectivity=6)
    volumes_cm3 = np.bincount(parts.ravel()) * grid.voxel_volume_mm3 / 1000
    volumes_cm3[0] = 0
    keep = np.flatnonzero(volumes_cm3 >= max(SMALLEST_LUNG_CM3, SMALLER_PART * volumes_cm3.max()))
    return ndimage.binary_fill_holes(np.isin(parts, keep)) if keep.size else np.zeros_like(mask)
