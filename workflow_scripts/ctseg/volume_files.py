"""Volume files of any format: scans, labels and lung fields."""

from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.formats import NIFTI_SUFFIXES, volume_format
from ctseg.nifti import read_nifti
from ctseg.possible import require_possible
from ctseg.volume import Grid, Volume


def read_volume_file(path: Path) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file in the type it has, sizes in mm.

    Raises InputError when it is no single 3-D volume, or its size is that of no scan.
    """
    volume = read_nifti(path) if path.name.lower().endswith(NIFTI_SUFFIXES) else _read_sitk(path)
    require_possible(volume.grid, str(path))
    return volume


def _read_sitk(path: Path) -> Volume:
    """Read a NRRD or MetaImage file; SimpleITK's world is LPS in mm already."""
    import SimpleITK as sitk  # 0.3 s, and most scans are DICOM or NIfTI

    if not path.exists():
        raise InputError(f"{path} does not exist")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        raise InputError(f"{path} cannot be read as {volume_format(path)}: it is cut, damaged or incomplete") from None
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
