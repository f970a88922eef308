"""Reading a scan in any of the accepted formats as int16 HU, with facts that identify nobody."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctseg import scratch
from ctseg.errors import InputError
from ctseg.formats import DICOM_SUFFIXES, NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file, volume_format
from ctseg.nifti import nifti_qform_off_mm, read_nifti
from ctseg.volume import AIR_HU, Grid, Volume

INT16_MAX = 32767
LOWEST_PLAUSIBLE_MAXIMUM_HU = -200  # any part of a body has voxels of fat or more
SMALLEST_PLAUSIBLE_RANGE_HU = 100  # fat to muscle; the noise alone of a small crop spans as much


@dataclass(frozen=True)
class Scan:
    """A CT as int16 HU `[z, y, x]` and what is known about its acquisition, in plain JSON types."""

    volume: Volume
    facts: dict[str, Any]


def read_scan(
    path: str | Path, series_uid: str | None = None, kernels: Iterable[str] = (), irregular: str = "refuse"
) -> Scan:
    """Read a CT scan: a folder of DICOM slices, or a NIfTI, NRRD, MHA or MHD file.

    For a DICOM folder, `series_uid` chooses a series, `kernels` are those to prefer, and `irregular` says what to do
    with uneven slices ("refuse" or "resample"). Voxels keep their order and their place in the world; values below
    −1024 and NaN become −1024, fractions are rounded. What a user should know of stands in the facts' `warnings`.
    Raises InputError when the file cannot be read, is no single 3-D volume, or its values cannot be HU.
    """
    source = Path(path)
    if is_volume_file(source):
        volume, facts = read_volume_file(source), _file_facts(source)
        volume = volume.with_voxels(to_hu(volume.voxels_zyx, str(source)))
    elif source.is_dir():
        from ctseg.dicom import read_dicom  # pydicom takes 0.3 s to import

        volume, facts = read_dicom(source, series_uid, kernels, irregular)
    elif source.exists() and source.suffix.lower() in DICOM_SUFFIXES:
        raise InputError(f"{source} is one file of a DICOM series; give the folder that holds all its slices")
    elif source.exists():
        raise InputError(
            f"{source} is no scan that ctseg reads: give the folder of a DICOM series, or a file that ends in "
            + ", ".join(NIFTI_SUFFIXES + SITK_SUFFIXES)
        )
    else:
        raise InputError(f"{source} does not exist")
    volume = Volume(volume.voxels_zyx, volume.grid.rounded())
    facts |= volume_facts(volume, str(source))
    return Scan(volume, facts | {"warnings": warnings_of(facts)})


def warnings_of(facts: dict[str, Any]) -> list[str]:
    """What a user should know of a scan before trusting it, from its facts."""
    known = {
        "qform_off_mm": "sform and qform of the file disagree by {} mm at a corner; the sform was taken",
        "burned_in_annotation": "text is burned into the pixels, which may name the patient",
        "head": "the scan shows a head: a face can be rebuilt from it, so it is not anonymous",
        "lossy_compression": "the slices were compressed with loss: HU are not exact",
        "tilt_deg": "the gantry was tilted by {}°: slices were sheared back, so voxels are interpolated",
        "gaps": "slices were missing or unevenly spaced: voxels are interpolated, labels are not; see `gaps`",
    }
    return [text.format(facts[key]) for key, text in known.items() if facts.get(key)]


def passed_over(facts: dict[str, Any]) -> list[str]:
    """A line for each stack of images that lay beside the scan and was not taken, with the reason."""
    others = facts.get("series", {}).get("others", [])
    return [f"not used: {other['images']} x {other['modality']}: {other['reason']}" for other in others]


def read_volume_file(path: Path) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file in the type it has; raises InputError when it is no single 3-D volume."""
    return read_nifti(path) if path.name.lower().endswith(NIFTI_SUFFIXES) else _read_sitk(path)


def to_hu(voxels_zyx: np.ndarray, name: str) -> np.ndarray:
    """Real numbers as int16 HU: rounded, NaN and all below −1024 as −1024. Raises InputError for other types."""
    if voxels_zyx.dtype.kind not in "iuf":
        raise InputError(f"{name} holds values of type {voxels_zyx.dtype}, not CT numbers")
    if voxels_zyx.dtype == np.int16 and all(voxels_zyx[part].min() >= AIR_HU for part in scratch.by_slab(voxels_zyx)):
        return voxels_zyx
    hu = scratch.zeros(voxels_zyx.shape, np.int16)
    for part in scratch.by_slab(voxels_zyx, hu):
        values = voxels_zyx[part]
        if values.dtype.kind == "f":
            values = np.rint(np.nan_to_num(values, nan=AIR_HU, posinf=INT16_MAX, neginf=AIR_HU))
        low, high = AIR_HU, INT16_MAX
        if values.dtype.kind != "f":
            limits = np.iinfo(values.dtype)
            low, high = max(low, limits.min), min(high, limits.max)
        hu[part] = np.clip(values, low, high)
    return hu


def _file_facts(path: Path) -> dict[str, Any]:
    """The format, and for NIfTI by how much a second description of the geometry contradicts the first."""
    facts: dict[str, Any] = {"source_format": volume_format(path)}
    if facts["source_format"] == "NIfTI":
        facts["qform_off_mm"] = nifti_qform_off_mm(path)
    return facts


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


def volume_facts(volume: Volume, name: str) -> dict[str, Any]:
    """Size, spacing, shear and range of the values; raises InputError when the range cannot be that of a CT in HU."""
    voxels = volume.voxels_zyx
    ranges = [(voxels[part].min(), voxels[part].max()) for part in scratch.by_slab(voxels)]
    lowest, highest = int(min(low for low, _ in ranges)), int(max(high for _, high in ranges))
    narrow = highest - lowest < SMALLEST_PLAUSIBLE_RANGE_HU
    if lowest >= 0 or highest < LOWEST_PLAUSIBLE_MAXIMUM_HU or narrow:
        raise InputError(
            f"{name} holds values from {lowest} to {highest}, which cannot be a CT in Hounsfield units (air -1000, "
            "water 0, bone up to 3000): it is no CT, or it was rescaled or windowed; give the original scan"
        )
    normal = np.cross(*np.asarray(volume.grid.direction).T[:2])
    step = np.asarray(volume.grid.direction)[:, 2]
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(normal))
    return {
        "size_xyz": list(volume.grid.shape_zyx[::-1]),
        "spacing_xyz_mm": [round(value, 6) for value in volume.grid.spacing_xyz_mm],
        "shear_deg": round(float(np.degrees(np.arccos(min(1.0, cosine)))), 2),
        "hu_min": lowest,
        "hu_max": highest,
    }
