"""A folder of DICOM slices as one volume in Hounsfield units, with the facts of its acquisition.

Slices become a volume only when they are one regular stack; everything else is refused with the reason.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom_series import Series, choose_series
from ctseg.dicom_slice import Slice, optional_number, parse_slice, read_hu
from ctseg.errors import InputError
from ctseg.volume import Grid, Volume

SAME_POSITION_MM = 0.01
POSITION_TOLERANCE_MM = 0.06  # positions that were rounded to 0.1 mm are up to 0.05 mm off
COSINE_TOLERANCE = 1e-4  # 0.05 mm at the far end of a 500 mm image


def read_dicom(folder: str | Path, series_uid: str | None = None) -> tuple[Volume, dict[str, Any]]:
    """Read one CT series of a folder: int16 HU `[z, y, x]` and facts that JSON can hold and that identify nobody.

    Slices are sorted along their normal. A tilted gantry gives a sheared grid, exactly as it was scanned. Values below
    −1024 and pixel padding become −1024 (air). Raises InputError, naming the file, for anything that is no regular
    stack: no CT, damaged files, mixed orientations or sizes, missing slices, different slices at one position.
    """
    series = choose_series(folder, series_uid)
    slices = [parse_slice(header) for header in series.headers]
    _require_one_shape(series, slices)
    normal = slices[0].normal
    slices.sort(key=lambda part: (float(part.position_xyz_mm @ normal), part.path))
    kept = _without_duplicates(series, slices)
    grid = _stack_grid(series, kept)
    voxels = np.empty(grid.shape_zyx, dtype=np.int16)
    for index, part in enumerate(kept):
        voxels[index] = read_hu(part)
    facts = _acquisition_facts(kept[0])
    facts |= {"series_found": series.n_found, "series_passed_over": series.n_found - 1}
    facts |= {"duplicate_slices_dropped": len(slices) - len(kept)}
    return Volume(voxels, grid), facts


def _require_one_shape(series: Series, slices: list[Slice]) -> None:
    """Raise InputError unless all slices share size, pixel spacing and orientation."""
    first = slices[0]
    for part in slices[1:]:
        if part.shape_yx != first.shape_yx or not np.allclose(part.spacing_xy_mm, first.spacing_xy_mm, rtol=1e-4):
            what = "different sizes"
        elif np.abs(part.rows_columns - first.rows_columns).max() > COSINE_TOLERANCE:
            what = "different orientations"
        else:
            continue
        raise InputError(
            f"the slices of the series in {series.folder} have {what} ({first.path.name} and {part.path.name}): "
            "they are no single volume; separate the scans"
        )


def _without_duplicates(series: Series, slices: list[Slice]) -> list[Slice]:
    """Keep one of several slices at the same position if their pixels are equal, raise InputError if they are not."""
    kept = slices[:1]
    for part in slices[1:]:
        distance_mm = float((part.position_xyz_mm - kept[-1].position_xyz_mm) @ part.normal)
        if distance_mm > SAME_POSITION_MM:
            kept.append(part)
        elif not np.array_equal(read_hu(part), read_hu(kept[-1])):
            raise InputError(
                f"{kept[-1].path.name} and {part.path.name} in {series.folder} lie at the same position with different "
                "pixels: the series mixes several scans (phases, reconstructions); separate them"
            )
    if len(kept) < 2:
        raise InputError(f"all {len(slices)} slices in {series.folder} lie at one position: they are no volume")
    return kept


def _stack_grid(series: Series, slices: list[Slice]) -> Grid:
    """The grid through all slices, which must be evenly spaced to 1 % of their distance or 0.06 mm."""
    positions = np.array([part.position_xyz_mm for part in slices])
    steps_mm = np.diff(positions @ slices[0].normal)
    _require_no_gap(series, slices, steps_mm)
    # The line through all positions, not through the first and the last: they are often rounded to 0.1 mm.
    index = np.arange(len(slices)) - (len(slices) - 1) / 2
    step = index @ positions / (index @ index)
    fitted = positions.mean(axis=0) + index[:, None] * step
    deviation_mm = np.linalg.norm(positions - fitted, axis=1)
    if deviation_mm.max() > max(POSITION_TOLERANCE_MM, 0.01 * np.linalg.norm(step)):
        worst = slices[int(deviation_mm.argmax())].path.name
        raise InputError(
            f"the slices in {series.folder} are not evenly spaced: their distances go from {steps_mm.min():.2f} to "
            f"{steps_mm.max():.2f} mm, and {worst} lies {deviation_mm.max():.2f} mm off its place; "
            "give an evenly spaced series"
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = slices[0].rows_columns * np.array(slices[0].spacing_xy_mm)[:, None]
    affine[:3, 2], affine[:3, 3] = step, fitted[0]
    return Grid.from_affine(affine, (len(slices), *slices[0].shape_yx))


def _require_no_gap(series: Series, slices: list[Slice], steps_mm: np.ndarray) -> None:
    """Raise InputError when a distance between neighbours is a multiple of the others: slices are missing."""
    ratios = steps_mm / np.median(steps_mm)
    gaps = np.flatnonzero((ratios > 1.5) & (np.abs(ratios - np.rint(ratios)) < 0.05))
    if gaps.size and (ratios < 1.5).sum() > gaps.size:
        missing = int((np.rint(ratios[gaps]) - 1).sum())
        raise InputError(
            f"{missing} slice(s) are missing in {series.folder}, the first between {slices[gaps[0]].path.name} and "
            f"{slices[gaps[0] + 1].path.name}, which lie {steps_mm[gaps[0]]:.2f} mm apart, not "
            f"{np.median(steps_mm):.2f} mm; complete the series"
        )


def _acquisition_facts(part: Slice) -> dict[str, Any]:
    """What the header says about scanner and protocol, by name: nothing else is passed on."""
    header = part.header
    syntax = header.dataset.file_meta.get("TransferSyntaxUID")
    return {
        "source_format": "DICOM",
        "modality": header.text("Modality"),
        "manufacturer": header.text("Manufacturer") or None,
        "model": header.text("ManufacturerModelName") or None,
        "kernel": " ".join(header.texts("ConvolutionKernel")) or None,
        "kvp": optional_number(header, "KVP"),
        "slice_thickness_mm": optional_number(header, "SliceThickness"),
        "gantry_tilt_deg": optional_number(header, "GantryDetectorTilt"),
        "patient_position": header.text("PatientPosition") or None,
        "image_type": header.texts("ImageType"),
        "burned_in_annotation": {"YES": True, "NO": False}.get(header.text("BurnedInAnnotation")),
        "lossy_compression": {"01": True, "00": False}.get(header.text("LossyImageCompression")),
        "transfer_syntax": syntax.name if syntax else None,
        "padding_hu": list(part.padding_hu) if part.padding_hu else None,
    }
