"""Real chests with healthy lungs, segmented by the threshold method, and real bodies without lungs."""

from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
from scipy import ndimage

from ctseg.errors import InputError
from ctseg.file_hash import sha256_of
from ctseg.geometry.resample import resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.lung_training.bodies import LEFT, RIGHT, Body
from ctseg.lung_training.random_fields import SPACING_MM
from ctseg.lungs.coarse import coarse_image
from ctseg.lungs.threshold import threshold_lungs
from ctseg.scans.nifti import read_nifti

CORES_MM = (6.0, 9.0, 12.0, 15.0, 20.0)  # depths below the surface; the first one that separates the lungs is used
SMALL_CORE = 0.2  # share of the largest core up to which a core is ignored


@dataclass(frozen=True)
class RealScan:
    """A public scan: its path below the folder of scans, its origin, its licence, and the SHA-256 of the file."""

    path: str
    origin: str
    licence: str
    sha256: str


def read_body(path: str | Path) -> Body:
    """The scan on the lung network's grid, with the lung field of the threshold method, split into two sides."""
    return body_of(read_nifti(path))[0]


def body_of(image: Volume) -> tuple[Body, Grid]:
    """Body of an image in HU as `read_body` gives it, and its grid, with voxels of `SPACING_MM`."""
    coarse = coarse_image(image)
    grid = coarse.grid.with_spacing((SPACING_MM,) * 3)
    lungs = coarse.with_voxels(threshold_lungs(coarse).astype(np.float32))
    inside = resample(lungs, grid, fill=0).voxels_zyx >= 0.5
    return Body(resample(coarse, grid, fill=AIR_HU).voxels_zyx, sides_of(inside)), grid


def sides_of(lungs: np.ndarray) -> np.ndarray:
    """Side of each voxel of a lung field, uint8 `[z, y, x]`: 1 = right, 2 = left, by the side of the nearest core.

    All voxels are 0 if the lungs cannot be separated.
    """
    depth = ndimage.distance_transform_edt(lungs, sampling=SPACING_MM)
    middle = np.nonzero(lungs)[2].mean() if lungs.any() else 0
    for core_mm in CORES_MM:
        components = cc3d.connected_components(depth > core_mm, connectivity=6)
        sizes = np.bincount(components.ravel())
        sizes[0] = 0
        large = np.flatnonzero(sizes > SMALL_CORE * sizes.max())
        sides = {
            int(number): LEFT if np.nonzero(components == number)[2].mean() > middle else RIGHT for number in large
        }
        if len(set(sides.values())) == 2:
            side_of = np.array([sides.get(number, 0) for number in range(len(sizes))], np.uint8)
            core = side_of[components]
            nearest = ndimage.distance_transform_edt(core == 0, return_distances=False, return_indices=True)
            return np.where(lungs, core[tuple(nearest)], 0).astype(np.uint8)
    return np.zeros(lungs.shape, np.uint8)


def read_checked(folder: Path, scan: RealScan, with_lungs: bool) -> Body:
    """Body of a public scan below `folder`. Raises InputError if the file is missing or has another SHA-256."""
    path = folder / scan.path
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of scans that docs/lung_field.md lists")
    if sha256_of(path) != scan.sha256:
        raise InputError(f"{path} is not the file that the lung network was trained on: its SHA-256 differs")
    body = read_body(path)
    return body if with_lungs else Body(body.hu, np.zeros_like(body.sides))
