"""Limits of voxel size and extent of a CT, to detect a wrong unit or a damaged header."""

from ctseg.errors import ScanError
from ctseg.geometry.volume import Grid

SPACING_MM = 0.01, 50.0  # voxel spacing, from micro-CT to the slice distance of overviews
LONGEST_MM, WIDEST_MM = 4000.0, 2000.0  # longest and second longest axis: limits of table travel and gantry width


def possible_spacing(*spacing_mm: float) -> bool:
    """Whether all spacings are within `SPACING_MM`."""
    return all(SPACING_MM[0] <= value <= SPACING_MM[1] for value in spacing_mm)


def require_possible(grid: Grid, name: str) -> None:
    """Raise ScanError for a voxel size or an extent that no CT has; `name` is the file in the message."""
    size = " x ".join(f"{value:.3g}" for value in grid.spacing_xyz_mm)
    if not possible_spacing(*grid.spacing_xyz_mm):
        raise ScanError(
            f"{name} has voxels of {size} mm, which no CT has ({SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm): "
            "correct the voxel size, or the unit that the file gives it in"
        )
    lengths_mm = sorted(n * value for n, value in zip(grid.shape_zyx[::-1], grid.spacing_xyz_mm, strict=True))
    if lengths_mm[2] > LONGEST_MM or lengths_mm[1] > WIDEST_MM:
        raise ScanError(
            f"{name} covers {' x '.join(f'{value:.0f}' for value in lengths_mm)} mm with voxels of {size} mm, "
            "more than any CT: correct the voxel size, or the unit that the file gives it in"
        )
