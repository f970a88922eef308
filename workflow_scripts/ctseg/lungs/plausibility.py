"""Plausibility of a lung field as the lungs of a person."""

from pathlib import Path
from typing import Any

import numpy as np

from ctseg.files import read_json
from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Volume
from ctseg.scans.nifti import read_nifti

PLAUSIBLE_VOLUME_CM3 = (800.0, 12_000.0)
PLAUSIBLE_MEAN_HU = (-950.0, -500.0)
SICK_MEAN_HU = (-950.0, -150.0)  # of a field with tumour and fluid; tissue other than lung is denser


def check_lungs(lungs: Volume, image: Volume, mean_hu_range: tuple[float, float] = PLAUSIBLE_MEAN_HU) -> dict[str, Any]:
    """Facts about a lung field, and its plausibility as the lungs of a person.

    `volume_cm3`, `mean_hu`, `cut_fraction` (share of lung in the scan's first or last slice, the larger one: above 0 if
    the scan cuts the lungs), `plausible` and `reason`.
    """
    voxels, hu_sum = 0, 0
    for part in mapped_arrays.by_slab(lungs.voxels_zyx, image.voxels_zyx):
        hu = image.voxels_zyx[part][lungs.voxels_zyx[part] > 0]
        voxels, hu_sum = voxels + hu.size, hu_sum + int(hu.sum(dtype=np.int64))
    volume_cm3 = voxels * lungs.grid.voxel_volume_mm3 / 1000
    mean_hu = hu_sum / voxels if voxels else None
    reason = _implausible(volume_cm3, mean_hu, mean_hu_range)
    ends = orient(lungs).voxels_zyx[[0, -1]]
    return {
        "volume_cm3": round(volume_cm3, 1),
        "mean_hu": None if mean_hu is None else round(mean_hu, 1),
        "cut_fraction": round(float(ends.mean(axis=(1, 2)).max()), 4),
        "plausible": reason is None,
        "reason": reason or "volume and density are those of lungs",
    }


def _implausible(volume_cm3: float, mean_hu: float | None, mean_hu_range: tuple[float, float]) -> str | None:
    """The reason why the field cannot be a pair of lungs, or None."""
    if mean_hu is None:
        return "no lung was found"
    low, high = PLAUSIBLE_VOLUME_CM3
    if not low <= volume_cm3 <= high:
        return f"the volume of {volume_cm3:.0f} cm³ is not between {low:.0f} and {high:.0f}"
    low, high = mean_hu_range
    if not low <= mean_hu <= high:
        return f"the mean of {mean_hu:.0f} HU is not between {low:.0f} and {high:.0f}"
    return None


def plausible_lungs(lungs_path: str | Path | None, facts_path: str | Path | None) -> Volume | None:
    """The lung field in a file if its facts call it plausible; None if it is not, or if a path is None."""
    if lungs_path is None or facts_path is None or not read_json(facts_path)["plausible"]:
        return None
    return read_nifti(lungs_path)
