"""Coarse copy of a scan and its masks, small enough for the slice viewer inside a report."""

import base64
import gzip
from typing import Any

import numpy as np

from ctseg.geometry.resample import bounding_box, orient, resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.masks.focus import focus_zyx

LONGEST = 144  # voxels along the longest edge: 1 MB packed
BODY_HU = -500.0  # voxels above this value are body or table


def preview(
    image: Volume, segmentation: Volume, reference: Volume | None, window_hu: tuple[float, float]
) -> dict[str, Any]:
    """Data for `viewer.js`: grey values in the HU window, and masks of label (bit 0) and segmentation (bit 1).

    All volumes have one grid. The result has isotropic voxels; masks are resampled by `coarse_mask`, so that small
    lesions are kept. Grey values and masks are uint8 [z, y, x], with axes x, y, z to left, back and head, gzipped and
    in base64.
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
    """Grid of isotropic voxels over the same extent, at most `LONGEST` along an edge, not finer than the scan."""
    extent_mm = np.array(grid.shape_zyx) * grid.spacing_zyx_mm
    spacing_mm = max(extent_mm.max() / LONGEST, min(grid.spacing_zyx_mm))
    return grid.with_spacing((spacing_mm, spacing_mm, spacing_mm))


def coarse_mask(volume: Volume, grid: Grid) -> np.ndarray:
    """Boolean mask [z, y, x] of the voxels of `grid` that contain a mask voxel's centre, or have theirs in the mask."""
    nearest = resample(volume.with_voxels((volume.voxels_zyx > 0).astype(np.float32)), grid, fill=0).voxels_zyx >= 0.5
    points = volume.grid.points_xyz_mm(np.argwhere(volume.voxels_zyx > 0))
    indices = np.rint(grid.indices_zyx(points)).astype(int)
    inside = ((indices >= 0) & (indices < grid.shape_zyx)).all(axis=1)
    nearest[tuple(indices[inside].T)] = True
    return nearest


def packed(voxels: np.ndarray) -> str:
    """Bytes of an array, gzipped without a date, as base64 text."""
    return base64.b64encode(gzip.compress(voxels.tobytes(), mtime=0)).decode()
