"""Voxels on a regular grid from the slices of one stack.

Voxels are copied if the slices are already on a regular grid. A tilted gantry shifts each slice against the one below,
and slices may be missing or unevenly spaced: only then are values interpolated linearly between neighbours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.dicom.series import Choice
from ctseg.dicom.slice import Slice, read_hu
from ctseg.dicom.slice_spacing import SAME_POSITION_MM, gaps, near_mm, off_even_mm, places_mm, usual_step_mm
from ctseg.errors import ScanError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import AIR_HU, Grid, Volume

STRAIGHT_VOXELS = 0.5  # a stack that drifts less from end to end is not tilted
WOBBLE_VOXELS = 0.2  # largest deviation of a slice of a straight stack from the line, due to rounded positions
WOBBLE_OF_TILTED = 0.1  # largest deviation in a tilted stack, as a share of the shift from the first to the last slice


@dataclass(frozen=True)
class Placement:
    """Positions of slices along their normal and in their own plane.

    `depths_mm` are the rising depths along the normal; `shifts_xy` [slice, x or y] are the shifts in the plane, in
    voxels.
    """

    depths_mm: np.ndarray
    shifts_xy: np.ndarray

    @property
    def steps_mm(self) -> np.ndarray:
        """Distances between neighbours in mm."""
        return np.diff(self.depths_mm)

    @property
    def off_line_xy(self) -> np.ndarray:
        """Shifts `[slice, x or y]`, in voxels, of the slices from the line through the first and the last one."""
        return self.shifts_xy - np.outer(self.depths_mm - self.depths_mm[0], self.shifts_xy[-1]) / np.ptp(
            self.depths_mm
        )

    @property
    def wobbles(self) -> bool:
        """Whether slices lie beside the line by more than rounding explains."""
        off, end = np.abs(self.off_line_xy).max(), np.abs(self.shifts_xy[-1]).max()
        return bool(off > max(WOBBLE_VOXELS, WOBBLE_OF_TILTED * end))

    @property
    def straight(self) -> bool:
        """Whether the slices are directly above each other, except for small shifts that rounding explains."""
        off = np.abs(self.off_line_xy).max()
        return bool(np.ptp(self.shifts_xy, axis=0).max() <= STRAIGHT_VOXELS and off <= WOBBLE_VOXELS)


def stack_volume(choice: Choice, irregular: str) -> tuple[Volume, dict[str, Any]]:
    """The slices of a chosen stack as int16 HU `[z, y, x]` on a regular orthogonal grid, and facts on the changes made.

    Of equal slices at one place one is kept. Missing or unevenly spaced slices are refused, or with `irregular` =
    "resample" interpolated to an even distance. A gantry tilt is sheared back. Facts: `duplicates_dropped`, `gaps`
    (number of the slice from 1 on, and distance to the next slice in mm, for each unusual distance), `tilt_deg`, and
    `slices_shifted_mm`, the largest shift that was taken back of slices that lie on no line. Raises ScanError for
    different slices at (nearly) one place, for uneven stacks unless they are resampled, and for gaps in a series with
    unusable images: these may be the missing slices.
    """
    _refuse_unusable(choice)
    kept = distinct_slices(choice)
    places = placement(kept)
    uneven = gaps(places.steps_mm)
    if uneven and irregular != "resample":
        raise ScanError(_uneven_message(choice, kept, places.steps_mm))
    facts = {
        "duplicates_dropped": len(choice.stack.slices) - len(kept),
        "gaps": [{"after_slice": index + 1, "distance_mm": round(step, 3)} for index, step in uneven],
        "tilt_deg": 0.0 if places.straight or places.wobbles else _tilt_deg(kept, places),
        "slices_shifted_mm": _off_line_mm(kept, places) if places.wobbles else 0.0,
    }
    if not uneven and places.straight:
        return _read_in_place(kept), facts
    return _read_resampled(kept, places), facts


def placement(slices: list[Slice]) -> Placement:
    """Positions of sorted slices of one orientation; shifts are relative to the first slice."""
    offsets_mm = np.array([part.position_xyz_mm - slices[0].position_xyz_mm for part in slices])
    depths_mm = np.array([part.position_xyz_mm for part in slices]) @ slices[0].normal
    return Placement(depths_mm, offsets_mm @ slices[0].rows_columns.T / slices[0].spacing_xy_mm)


def distinct_slices(choice: Choice) -> list[Slice]:
    """Keep one of several slices at (nearly) one place if their pixels are equal; raises ScanError if they differ."""
    slices = choice.stack.slices
    apart_mm = near_mm(choice.stack.depths_mm)
    kept = slices[:1]
    for part in slices[1:]:
        distance_mm = float((part.position_xyz_mm - kept[-1].position_xyz_mm) @ part.normal)
        if distance_mm > apart_mm:
            kept.append(part)
        elif not np.array_equal(read_hu(part), read_hu(kept[-1])):
            where = "at the same position" if distance_mm <= SAME_POSITION_MM else f"only {distance_mm:.2f} mm apart"
            raise ScanError(
                f"{_name(kept[-1])} and {_name(part)} in {choice.folder} lie {where} with different "
                "pixels: the series mixes several scans (phases, reconstructions) and nothing in the files tells them "
                "apart; separate them"
            )
    return kept


def _name(part: Slice) -> str:
    """The file of a slice and, in a multi-frame file, the number of its frame from 1 on."""
    frame = part.header.frame
    return part.path.name if frame is None else f"frame {frame + 1} of {part.path.name}"


def _refuse_unusable(choice: Choice) -> None:
    """Raise ScanError for an uneven stack with unusable images in its series: these may be the missing slices."""
    steps_mm = np.diff(places_mm(choice.stack.depths_mm))
    unusable = [lost for lost in choice.left_out if not lost.alternative]
    if unusable and gaps(steps_mm):
        lost = "; ".join(dict.fromkeys(f"{lost.images} cannot: {lost.fault}" for lost in unusable))
        raise ScanError(
            f"not all images of the CT series in {choice.folder} can be used, and the distances of those that can go "
            f"from {steps_mm.min():.2f} to {steps_mm.max():.2f} mm; {lost}; copy the series again from its source, or "
            "remove these files if they are not part of the scan"
        )


def _uneven_message(choice: Choice, slices: list[Slice], steps_mm: np.ndarray) -> str:
    """The error message for an uneven stack: missing slices, or unequal distances."""
    advice = (
        "complete the series, or interpolate between its slices with convert.irregular: resample (--interpolate on the "
        "command line)"
    )
    usual = usual_step_mm(steps_mm)
    ratios = steps_mm / usual
    wide = np.flatnonzero(ratios > 1.5)
    if wide.size and 2 * wide.size < len(ratios) and (np.abs(ratios - np.rint(ratios)) < 0.05).all():
        missing = int((np.rint(ratios[wide]) - 1).sum())
        first, second = _name(slices[wide[0]]), _name(slices[wide[0] + 1])
        return (
            f"{missing} slice(s) are missing in {choice.folder}, the first between {first} and {second}, which lie "
            f"{steps_mm[wide[0]]:.2f} mm apart, not {usual:.2f} mm; {advice}"
        )
    off_mm, allowed_mm = off_even_mm(steps_mm)
    digits = 2 if np.ptp(steps_mm) > 0.02 else 4
    return (
        f"the slices in {choice.folder} are not evenly spaced: their distances go from {steps_mm.min():.{digits}f} to "
        f"{steps_mm.max():.{digits}f} mm, so that they lie up to {off_mm:.2g} mm off even places, and at most "
        f"{allowed_mm:.2g} mm are allowed; {advice}"
    )


def _tilt_deg(slices: list[Slice], places: Placement) -> float:
    """The angle in degrees between the slices' normal and the line along which they are stacked."""
    sideways_mm = (places.shifts_xy[-1] - places.shifts_xy[0]) * slices[0].spacing_xy_mm
    return round(float(np.degrees(np.arctan2(np.linalg.norm(sideways_mm), np.ptp(places.depths_mm)))), 2)


def _off_line_mm(slices: list[Slice], places: Placement) -> float:
    """The largest distance in mm of a slice from the line through the first and the last one."""
    return round(float(np.linalg.norm(places.off_line_xy * slices[0].spacing_xy_mm, axis=1).max()), 2)


def _read_in_place(slices: list[Slice]) -> Volume:
    """The volume of evenly spaced slices, with unchanged voxels."""
    positions = np.array([part.position_xyz_mm for part in slices])
    # A line fitted to all positions, not only to the first and last: positions are often rounded to 0.1 mm.
    index = np.arange(len(slices)) - (len(slices) - 1) / 2
    step = index @ positions / (index @ index)
    origin = positions.mean(axis=0) + index[0] * step
    voxels = mapped_arrays.zeros((len(slices), *slices[0].shape_yx), np.int16)
    for part in mapped_arrays.by_slab(voxels):
        for place in range(part.start, part.stop):
            voxels[place] = read_hu(slices[place])
    return Volume(voxels, _grid(slices[0], step, origin, voxels.shape))


def _read_resampled(slices: list[Slice], places: Placement) -> Volume:
    """The volume on an even orthogonal grid over all slices, with rows and columns added for shifted slices."""
    n_planes = round(float(np.ptp(places.depths_mm)) / usual_step_mm(places.steps_mm)) + 1
    planes_mm = np.linspace(places.depths_mm[0], places.depths_mm[-1], max(2, n_planes))
    low_xy = np.floor(places.shifts_xy.min(axis=0) + 1e-6)
    more_xy = np.ceil(places.shifts_xy.max(axis=0) - low_xy - 1e-6).astype(int)
    shape_yx = slices[0].shape_yx[0] + int(more_xy[1]), slices[0].shape_yx[1] + int(more_xy[0])
    voxels = mapped_arrays.zeros((len(planes_mm), *shape_yx), np.int16)
    shifted: dict[int, np.ndarray] = {}  # the two slices around a plane, shifted into place, by index
    for place, depth_mm in enumerate(planes_mm):
        upper = int(np.clip(np.searchsorted(places.depths_mm, depth_mm - 1e-6), 1, len(slices) - 1))
        shifted = {
            index: shifted[index]
            if index in shifted
            else shift(read_hu(slices[index]), places.shifts_xy[index] - low_xy, shape_yx)
            for index in (upper - 1, upper)
        }
        share = (depth_mm - places.depths_mm[upper - 1]) / places.steps_mm[upper - 1]
        share = min(max(float(share), 0.0), 1.0)
        voxels[place] = np.rint((1 - share) * shifted[upper - 1] + share * shifted[upper])
    first = slices[0]
    step = first.normal * (planes_mm[1] - planes_mm[0])
    origin = first.position_xyz_mm + (low_xy * first.spacing_xy_mm) @ first.rows_columns
    return Volume(voxels, _grid(first, step, origin, voxels.shape))


def shift(plane_yx: np.ndarray, shift_xy: np.ndarray, shape_yx: tuple[int, int]) -> np.ndarray:
    """A plane [y, x] moved by at least 0 voxels along x and y into a larger one of air, by linear interpolation."""
    moved = plane_yx.astype(np.float32)
    for axis, distance in ((0, shift_xy[1]), (1, shift_xy[0])):
        whole = int(np.floor(distance + 1e-6))
        part = np.float32(max(0.0, distance - whole))
        before = [(0, 0), (0, 0)]
        before[axis] = (whole, shape_yx[axis] - moved.shape[axis] - whole)
        moved = np.pad(moved, before, constant_values=AIR_HU)
        if part > 1e-4:
            neighbour = np.roll(moved, 1, axis)
            neighbour[(slice(0, 1), slice(None)) if axis == 0 else (slice(None), slice(0, 1))] = AIR_HU
            moved = (1 - part) * moved + part * neighbour
    return moved


def _grid(first: Slice, step_xyz_mm: np.ndarray, origin_xyz_mm: np.ndarray, shape_zyx: tuple[int, ...]) -> Grid:
    """The grid of planes like the first slice that are `step_xyz_mm` apart."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = first.rows_columns * np.array(first.spacing_xy_mm)[:, None]
    affine[:3, 2], affine[:3, 3] = step_xyz_mm, origin_xyz_mm
    return Grid.from_affine(affine, shape_zyx)  # type: ignore[arg-type]
