"""Alignment of a label with the voxels of its image.

Other programs round the geometry of the files that they write, so a label may be offset from its image by hundredths of
a millimetre. A larger offset causes a warning. Beyond the tolerance, by default 0.1 mm or a tenth of a voxel, the label
is rejected, because it may belong to another scan.
"""

from dataclasses import dataclass

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.beyond_scan import Beyond, require_inside

SILENT_MM, SILENT_VOXELS = 0.05, 0.02
ALLOWED_MM, ALLOWED_VOXELS = 0.1, 0.1
LARGEST_MM = 10.0  # maximum in the config
ROUNDING_MM = 1e-4  # rounding of offsets, so that an offset equal to the tolerance is accepted


@dataclass(frozen=True)
class Tolerance:
    """Tolerated offsets of corresponding voxels in mm: `silent_mm` without a warning, `allowed_mm` with one."""

    silent_mm: float
    allowed_mm: float

    @classmethod
    def of(cls, grid: Grid, allowed_mm: float | None = None) -> "Tolerance":
        """The tolerance for a grid; `allowed_mm` is set in the config, None: 0.1 mm or 0.1 of the smallest spacing."""
        voxel_mm = min(grid.spacing_xyz_mm)
        silent_mm = max(SILENT_MM, SILENT_VOXELS * voxel_mm)
        return cls(silent_mm, max(ALLOWED_MM, ALLOWED_VOXELS * voxel_mm) if allowed_mm is None else allowed_mm)

    def refuses(self, off_mm: float) -> bool:
        """Whether a label with this offset is rejected."""
        return off_mm > max(self.silent_mm, self.allowed_mm) + ROUNDING_MM

    def told(self, off_mm: float) -> list[str]:
        """A warning about an offset larger than `silent_mm`, else an empty list."""
        if off_mm <= self.silent_mm + ROUNDING_MM:
            return []
        return [
            f"the label lies {off_mm:.3g} mm beside the voxels of its scan; it was placed on them "
            f"(convert.label_off_mm allows {self.allowed_mm:.3g} mm)"
        ]

    def advice(self, off_mm: float) -> str:
        """End of an error message about an offset: the tolerance, and how to allow more."""
        text = f"{max(self.silent_mm, self.allowed_mm):.4g} mm are allowed. They must come from the same scan; check "
        text += "that the right pair is given"
        enough_mm = np.ceil(off_mm * 100 + 0.5) / 100
        if enough_mm > LARGEST_MM:
            return f"{text}."
        return f"{text}. If they belong to one scan nevertheless, set convert.label_off_mm: {enough_mm:g}"


def off_xyz_mm(label: Grid, image: Grid) -> np.ndarray:
    """Largest offset of the corner voxels of two grids of the same shape, along x, y and z in mm: (3,)."""
    apart: np.ndarray = np.abs(label.corners_xyz_mm() - image.corners_xyz_mm()).max(axis=0)
    return apart


def require_aligned(label: Grid, image: Grid, label_name: str, image_name: str, tolerance: Tolerance) -> list[str]:
    """A warning about the offset of a label from its image, or an empty list.

    Raises LabelError with both names if the shapes differ or the offset exceeds the tolerance.
    """
    problem = f"{label_name} and {image_name} do not lie on one grid: "
    if label.shape_zyx != image.shape_zyx:
        sizes = [" x ".join(map(str, grid.shape_zyx)) for grid in (label, image)]
        raise LabelError(
            f"{problem}{sizes[0]} voxels (z, y, x) against {sizes[1]}. They must come from the same scan; check that "
            "the right pair is given."
        )
    apart = off_xyz_mm(label, image)
    off_mm = float(apart.max())
    if tolerance.refuses(off_mm):
        axes = ", ".join(f"{axis} {mm:.3g}" for axis, mm in zip("xyz", apart, strict=True) if mm > ROUNDING_MM)
        raise LabelError(
            f"{problem}their voxels lie up to {off_mm:.4g} mm apart (along {axes} mm), and {tolerance.advice(off_mm)}"
        )
    return tolerance.told(off_mm)


def placed(
    volume: Volume, grid: Grid, label_name: str, image_name: str, tolerance: Tolerance, beyond: str
) -> tuple[np.ndarray, list[str]]:
    """Voxels `[z, y, x]` of a label copied to `grid`, 0 elsewhere, and warnings; for labels of another extent.

    The axes of both must be parallel and in the same order. Raises LabelError if the voxels are not aligned, and for
    voxels beyond `grid` as `beyond_scan.require_inside`.
    """
    start = np.rint(grid.indices_zyx(np.array(volume.grid.origin_xyz_mm))[0]).astype(int)
    stop = start + volume.grid.shape_zyx
    boxes = tuple(slice(int(low), int(high)) for low, high in zip(start, stop, strict=True))
    told = require_aligned(volume.grid, grid.cropped(boxes), label_name, image_name, tolerance)  # type: ignore[arg-type]
    low, high = start.clip(0, grid.shape_zyx), stop.clip(0, grid.shape_zyx)
    voxels = np.zeros(grid.shape_zyx, dtype=volume.voxels_zyx.dtype)
    part = volume.voxels_zyx[tuple(slice(*ends) for ends in zip(low - start, high - start, strict=True))]
    voxels[tuple(slice(*ends) for ends in zip(low, high, strict=True))] = part
    drawn, kept = int(np.count_nonzero(volume.voxels_zyx)), int(np.count_nonzero(part))
    over_mm = np.maximum(low - start, stop - high) * grid.spacing_zyx_mm
    outside = Beyond(drawn - kept, drawn, "voxels", 1 - kept / max(1, drawn), float(over_mm.max()))
    box = volume.grid.box_text()
    return voxels, told + require_inside(outside, beyond, label_name, image_name, box, grid.box_text())
