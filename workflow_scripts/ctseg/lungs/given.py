"""Reading of a lung field from a user's file, on the grid of its image."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.geometry.axes import aligned
from ctseg.geometry.volume import Grid, Volume, require_same_grid
from ctseg.scans.volume_files import read_volume_file

TOLERANCE_VOXELS = 0.1  # larger than for a label: the position of a lung field is less critical


def read_lungs(path: str | Path, grid: Grid, image_name: str, values: Collection[int] | None = None) -> Volume:
    """Read a lung field as uint8 `[z, y, x]` on the image's grid: 1 where the file holds one of `values`, 0 elsewhere.

    Without `values` every voxel that is not 0 is lung. Axes may be swapped and flipped against the image's, no value is
    interpolated. Raises InputError for a file that is no volume, is on another grid, or has no voxel of lung.
    """
    source = Path(path)
    if not is_volume_file(source):
        raise InputError(f"{source} is not a lung field that ctseg reads: give NIfTI, NRRD, MHA or MHD")
    volume = aligned(read_volume_file(source), grid)
    require_same_grid(volume.grid, grid, str(source), image_name, TOLERANCE_VOXELS * min(grid.spacing_xyz_mm))
    inside = volume.voxels_zyx != 0 if values is None else np.isin(volume.voxels_zyx, list(values))
    if not inside.any():
        wanted = "that is not 0" if values is None else f"of {', '.join(map(str, values))}"
        raise InputError(f"{source} has no voxel {wanted}: it is not a lung field; leave it out to compute one")
    return Volume(inside.astype(np.uint8), grid)
