"""How exactly a label lies on the voxels of its image.

Other programs round the geometry of the files that they write, so a label may lie hundredths of a millimetre beside its
image. What is more than rounding is told up to a tenth of a voxel, and refused beyond it: it may be of another scan.
"""

from dataclasses import dataclass

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.beyond_scan import Beyond, require_inside

SILENT_MM, SILENT_VOXELS = 0.05, 0.02
ALLOWED_MM, ALLOWED_VOXELS = 0.1, 0.1
LARGEST_MM = 10.0  # that the config allows
ROUNDING_MM = 1e-4  # of a distance, so that one that is equal to the tolerance is within it


@dataclass(frozen=True)
class Tolerance:
    """How far corresponding voxels may lie apart in mm: without a word, and at all."""

    silent_mm: float
    allowed_mm: float

    @classmethod
    def of(cls, grid: Grid, allowed_mm: float | None = None) -> "Tolerance":
        """The tolerance for labels on a grid; `allowed_mm` is the config's, None stands for a tenth of a voxel."""
        voxel_mm = min(grid.spacing_xyz_mm)
        silent_mm = max(SILENT_MM, SILENT_VOXELS * voxel_mm)
        return cls(silent_mm, max(ALLOWED_MM, ALLOWED_VOXELS * voxel_mm) if allowed_mm is None else allowed_mm)

    def refuses(self, off_mm: float) -> bool:
        """Whether a label that lies so far beside its image is refused."""
        return off_mm > max(self.silent_mm, self.allowed_mm) + ROUNDING_MM

    def told(self, off_mm: float) -> list[str]:
        """A sentence on a distance that is allowed but more than rounding, else nothing."""
        if off_mm <= self.silent_mm + ROUNDING_MM:
            return []
        return [
            f"the label lies {off_mm:.3g} mm beside the voxels of its scan; it was placed on them "
            f"(convert.label_off_mm allows {self.allowed_mm:.3g} mm)"
        ]

    def advice(self, off_mm: float) -> str:
        """What a message says after the distance: the tolerance, and how to allow more."""
        text = f"{max(self.silent_mm, self.allowed_mm):.4g} mm are allowed. They must come from the same scan; check "
        text += "that the right pair is given"
        enough_mm = np.ceil(off_mm * 100 + 0.5) / 100
        if enough_mm > LARGEST_MM:
            return f"{text}."
        return f"{text}. If they belong to one scan nevertheless, set convert.label_off_mm: {enough_mm:g}"


def off_xyz_mm(label: Grid, image: Grid) -> np.ndarray:
    """How far the corner voxels of two grids of one shape lie apart at most, along x, y and z in mm."""
    apart: np.ndarray = np.abs(label.corners_xyz_mm() - image.corners_xyz_mm()).max(axis=0)
    return apart


def require_aligned(label: Grid, image: Grid, label_name: str, image_name: str, tolerance: Tolerance) -> list[str]:
    """Sentences on how far a label lies beside its image, none where it lies on it.

    Raises LabelError, naming both, for other numbers of voxels, and beyond the tolerance.
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
    """The voxels of a part of a lattice on the whole of it, 0 elsewhere, and sentences on how they lie there.

    The axes of both run along each other. Raises LabelError where the voxels do not lie on each other, and for what
    lies beyond the grid as `beyond_scan.require_inside` does.
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
