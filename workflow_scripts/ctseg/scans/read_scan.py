"""Reading a scan in any of the accepted formats as int16 HU, with facts that identify no person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom.slice_views import view_by_spacing
from ctseg.errors import ScanError
from ctseg.file_types import DICOM_SUFFIXES, NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file, volume_format
from ctseg.geometry import mapped_arrays
from ctseg.geometry.possible_sizes import require_possible
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.scans.hu_check import hu_facts
from ctseg.scans.nifti import nifti_facts
from ctseg.scans.scan_warnings import RESCALE, warnings_of
from ctseg.scans.text_headers import stated_geometry
from ctseg.scans.volume_files import read_volume_file

INT16_MAX = 32767
LOWEST_PLAUSIBLE_MAXIMUM_HU = -200  # any part of a body has voxels of fat or denser tissue
SMALLEST_PLAUSIBLE_RANGE_HU = 100  # fat to muscle; noise alone spans as much in a small crop


@dataclass(frozen=True)
class Scan:
    """A CT as int16 HU `[z, y, x]` and facts on the scan and its acquisition, in plain JSON types."""

    volume: Volume
    facts: dict[str, Any]


def read_scan(
    path: str | Path,
    series_uid: str | None = None,
    kernels: Iterable[str] = (),
    irregular: str = "refuse",
    rescale: Sequence[float] | None = None,
    label: str | Path | None = None,
) -> Scan:
    """Read a CT scan: a folder of DICOM slices, or a NIfTI, NRRD, MHA or MHD file.

    For a DICOM folder, `series_uid` chooses a series, `kernels` are the preferred kernels, `irregular` is the treatment
    of uneven slices ("refuse" or "resample"), and `label` is a label of the scan: the series that it names is taken.
    `rescale` is the slope and intercept of values that are not in HU: of slices without a RescaleIntercept, and of
    scans with values that show it. Voxels keep their order and their position in the world; values below −1024 and NaN
    become −1024, fractions are rounded. The facts' `warnings` are sentences for the user. Raises InputError if the file
    cannot be read, is not a single 3-D volume, its size is not that of a scan, or its values cannot be HU.
    """
    source = Path(path)
    if is_volume_file(source):
        volume, facts = read_volume_file(source), _file_facts(source)
        facts["view"] = view_by_spacing(volume.grid.direction, volume.grid.spacing_xyz_mm)
    elif source.is_dir():
        from ctseg.dicom.read_ct import read_dicom  # pydicom takes 0.3 s to import

        volume, facts = read_dicom(source, series_uid, kernels, irregular, rescale, label)
        require_possible(volume.grid, str(source))
    elif source.exists() and source.suffix.lower() in DICOM_SUFFIXES:
        raise ScanError(f"{source} is one file of a DICOM series; give the folder that holds all its slices")
    elif source.exists():
        raise ScanError(
            f"{source} is not a scan that ctseg reads: give the folder of a DICOM series, or a file that ends in "
            + ", ".join(NIFTI_SUFFIXES + SITK_SUFFIXES)
        )
    else:
        raise ScanError(f"{source} does not exist")
    volume = Volume(volume.voxels_zyx, volume.grid.rounded())
    # Slices without an intercept were rescaled when they were read, and are not rescaled again.
    volume, values = _in_hu(volume, None if "rescaled" in facts else rescale, str(source))
    facts |= values | _geometry_facts(volume.grid)
    return Scan(volume, facts | {"warnings": warnings_of(facts)})


def _in_hu(volume: Volume, rescale: Sequence[float] | None, name: str) -> tuple[Volume, dict[str, Any]]:
    """A volume as int16 HU and facts on its values; `rescale` is applied if the values show that they are not HU."""
    hu = volume.with_voxels(to_hu(volume.voxels_zyx, name))
    values = hu_facts(hu.voxels_zyx)
    if rescale and (values["hu_offset"] or values["hu_min"] >= 0):
        hu = volume.with_voxels(to_hu(volume.voxels_zyx, name, rescale))
        values = hu_facts(hu.voxels_zyx) | {"rescaled": list(rescale)}
    _require_hu(values, name)
    return hu, values


def to_hu(voxels_zyx: np.ndarray, name: str, rescale: Sequence[float] | None = None) -> np.ndarray:
    """Real numbers as int16 HU: rounded, NaN and values below −1024 as −1024. Raises ScanError for other types.

    With `rescale`, values are first multiplied by its first number, and its second number is added.
    """
    if voxels_zyx.dtype.kind not in "iuf":
        raise ScanError(f"{name} holds values of type {voxels_zyx.dtype}, not CT numbers")
    if (
        not rescale
        and voxels_zyx.dtype == np.int16
        and all(voxels_zyx[part].min() >= AIR_HU for part in mapped_arrays.by_slab(voxels_zyx))
    ):
        return voxels_zyx
    hu = mapped_arrays.zeros(voxels_zyx.shape, np.int16)
    for part in mapped_arrays.by_slab(voxels_zyx, hu):
        values = voxels_zyx[part]
        if rescale:
            values = values * float(rescale[0]) + float(rescale[1])
        if values.dtype.kind == "f":
            values = np.rint(np.nan_to_num(values, nan=AIR_HU, posinf=INT16_MAX, neginf=AIR_HU))
        low, high = AIR_HU, INT16_MAX
        if values.dtype.kind != "f":
            limits = np.iinfo(values.dtype)
            low, high = max(low, limits.min), min(high, limits.max)
        hu[part] = np.clip(values, low, high)
    return hu


def _file_facts(path: Path) -> dict[str, Any]:
    """The format, and the ambiguities of the geometry in the header."""
    name = volume_format(path)
    if name == "NIfTI":
        return {"source_format": name} | nifti_facts(path)
    return {"source_format": name, "no_patient_space": not stated_geometry(path).orientation}


def volume_facts(volume: Volume, name: str) -> dict[str, Any]:
    """Size, spacing, shear and values of a volume in HU; raises ScanError if the values cannot be those of a CT."""
    values = hu_facts(volume.voxels_zyx)
    _require_hu(values, name)
    return values | _geometry_facts(volume.grid)


def _require_hu(values: dict[str, Any], name: str) -> None:
    """Raise ScanError if the range of the values cannot be that of a CT in HU."""
    lowest, highest = values["hu_min"], values["hu_max"]
    narrow = highest - lowest < SMALLEST_PLAUSIBLE_RANGE_HU
    if lowest >= 0 or highest < LOWEST_PLAUSIBLE_MAXIMUM_HU or narrow:
        offset = values["hu_offset"]
        advice = f", or if these are HU {offset:+d}, {RESCALE.format(-offset)}" if offset else ""
        raise ScanError(
            f"{name} holds values from {lowest} to {highest}, which cannot be a CT in Hounsfield units (air -1000, "
            f"water 0, bone up to 3000): it is not a CT, or it was rescaled or windowed; give the original scan{advice}"
        )


def _geometry_facts(grid: Grid) -> dict[str, Any]:
    """Size in voxels, spacing in mm and shear in degrees of a grid."""
    normal = np.cross(*np.asarray(grid.direction).T[:2])
    step = np.asarray(grid.direction)[:, 2]
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(normal))
    return {
        "size_xyz": list(grid.shape_zyx[::-1]),
        "spacing_xyz_mm": [round(value, 6) for value in grid.spacing_xyz_mm],
        "shear_deg": round(float(np.degrees(np.arccos(min(1.0, cosine)))), 2),
    }
