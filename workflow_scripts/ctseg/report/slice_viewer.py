"""A coarse copy of a scan with its outlines, small enough to be looked through inside of a report."""

import base64
import gzip
from typing import Any

import numpy as np

from ctseg.geometry.resample import bounding_box, orient, resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.masks.focus import focus_zyx

LONGEST = 144  # voxels along an edge: 1 MB packed
BODY_HU = -500.0  # what lies above is body, or its table


def preview(
    image: Volume, segmentation: Volume, reference: Volume | None, window_hu: tuple[float, float]
) -> dict[str, Any]:
    """What `viewer.js` shows: grey values in the window, and masks of the label (bit 0) and the segmentation (bit 1).

    All volumes lie on one grid. Voxels are isotropic; of masks any part of a voxel makes it one, so that nothing small
    is lost. Both are gzipped and in base64; their axes run to left, back and head, in the order z, y, x.
    """
    shown, found, wanted = (None if volume is None else orient(volume) for volume in (image, segmentation, reference))
    assert shown is not None and found is not None
    box = bounding_box(shown.voxels_zyx > BODY_HU)
    if box is not None:
        shown, found = shown.cropped(box), found.cropped(box)
        wanted = wanted.cropped(box) if wanted else None
    grid = coarse_grid(shown.grid)
    low, high = window_hu
    grey = np.clip((resample(shown, grid, fill=AIR_HU).voxels_zyx - low) / (high - low), 0, 1) * 255
    masks = np.zeros(grid.shape_zyx, np.uint8)
    for bit, volume in ((1, wanted), (2, found)):
        if volume is not None:
            masks[coarse_mask(volume, grid)] |= bit
    focus = focus_zyx(masks & 1 > 0 if wanted else None, masks & 2 > 0)
    return {
        "shape_zyx": list(grid.shape_zyx),
        "focus_zyx": list(focus),
        "grey": packed(np.rint(grey).astype(np.uint8)),
        "masks": packed(masks),
    }


def coarse_grid(grid: Grid) -> Grid:
    """Isotropic voxels over the same space, at most `LONGEST` along an edge, and no finer than the scan's."""
    extent_mm = np.array(grid.shape_zyx) * grid.spacing_zyx_mm
    spacing_mm = max(extent_mm.max() / LONGEST, min(grid.spacing_zyx_mm))
    return grid.with_spacing((spacing_mm, spacing_mm, spacing_mm))


def coarse_mask(volume: Volume, grid: Grid) -> np.ndarray:
    """The voxels of `grid` in which the middle of a voxel of the mask lies, or whose middle the mask holds."""
    nearest = resample(volume.with_voxels((volume.voxels_zyx > 0).astype(np.float32)), grid, fill=0).voxels_zyx >= 0.5
    points = volume.grid.points_xyz_mm(np.argwhere(volume.voxels_zyx > 0))
    indices = np.rint(grid.indices_zyx(points)).astype(int)
    inside = ((indices >= 0) & (indices < grid.shape_zyx)).all(axis=1)
    nearest[tuple(indices[inside].T)] = True
    return nearest


def packed(voxels: np.ndarray) -> str:
    """The bytes of an array, gzipped without a date, as text."""
    return base64.b64encode(gzip.compress(voxels.tobytes(), mtime=0)).decode()
