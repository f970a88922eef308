"""Reading volume files of any format: scans, labels and lung fields."""

from pathlib import Path
from typing import Any

import numpy as np

from ctseg.errors import InputError
from ctseg.file_types import NIFTI_SUFFIXES, is_text, volume_format
from ctseg.geometry.possible_sizes import require_possible
from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import read_nifti
from ctseg.scans.text_headers import require_voxel_size


def read_volume_file(path: Path) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file: voxels `[z, y, x]` in their own type, sizes in mm.

    Raises InputError if the file is not a single 3-D volume, does not state its voxel size, or its size is not that of
    a scan.
    """
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        volume = read_nifti(path)
        require_possible(volume.grid, str(path))
        return volume
    volume = _sitk_volume(_open_sitk(path), path)
    _require_size(volume.grid, path)
    return volume


def read_layers(path: Path) -> list[Volume]:
    """The layers of a NRRD or MetaImage file with several volumes on one grid; any other file is one layer."""
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return [read_volume_file(path)]
    import SimpleITK as sitk  # 0.3 s, and most scans are DICOM or NIfTI

    image = _open_sitk(path)
    count = image.GetNumberOfComponentsPerPixel()
    if count == 1:
        return [read_volume_file(path)]
    layers = [_sitk_volume(sitk.VectorIndexSelectionCast(image, layer), path) for layer in range(count)]
    _require_size(layers[0].grid, path)
    return layers


def _require_size(grid: Grid, path: Path) -> None:
    """Raise InputError if a NRRD or MetaImage file does not state its voxel size, or no scan has the size of its grid.

    ITK takes 1 mm for a size that is not stated.
    """
    require_voxel_size(path)
    require_possible(grid, str(path))


def _open_sitk(path: Path) -> Any:
    """A NRRD or MetaImage file as an image of SimpleITK.

    Raises InputError if it is missing or damaged, OSError if the system cannot read it, and MemoryError.
    """
    import SimpleITK as sitk

    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not is_text(path):
        raise InputError(f"the name of {path} is not UTF-8 text; rename the file")
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        if "allocate" in str(error):
            raise MemoryError from None
        with path.open("rb") as file:  # ITK does not tell a damaged file from a disk or network that fails
            file.read(1)
        raise InputError(f"{path} cannot be read as {volume_format(path)}: it is cut, damaged or incomplete") from None


def _sitk_volume(image: Any, path: Path) -> Volume:
    """A volume from an image of SimpleITK, which has coordinates in LPS and mm already."""
    import SimpleITK as sitk

    voxels = sitk.GetArrayFromImage(image)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path} holds no single 3-D volume of numbers: shape {voxels.shape}")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    try:
        return Volume(voxels, Grid.from_affine(affine, voxels.shape))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
