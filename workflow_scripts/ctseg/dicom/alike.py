"""Grouping the slices of a series by size and orientation."""

from dataclasses import replace

import numpy as np

from ctseg.dicom.slice import Slice

SAME_AXES_VOXELS = 0.75  # largest shift of a slice's corner, in pixels; cosines rounded to 0.001 shift it by less
SAME_AXES_COSINE = 0.01  # largest difference of a cosine, also in a small image
ON_AXIS, STRAIGHT_SHARE = 1e-9, 0.25  # tolerance of cosines on the patient's axes; least share of slices on them


def turned_deg(first: Slice, second: Slice) -> float:
    """Rotation angle between the orientations of two slices, in degrees."""
    frames = [np.vstack([item.rows_columns, item.normal]) for item in (first, second)]
    return float(np.degrees(np.arccos(np.clip((np.trace(frames[0] @ frames[1].T) - 1) / 2, -1, 1))))


def same_size(first: Slice, second: Slice) -> bool:
    """Whether two slices have the same number of rows and columns and the same pixel spacing."""
    alike = np.allclose(first.spacing_xy_mm, second.spacing_xy_mm, rtol=1e-4)
    return first.shape_yx == second.shape_yx and bool(alike)


def same_axes(first: Slice, second: Slice) -> bool:
    """Whether two slices of one size have the same axes, to a fraction of a pixel at their corners."""
    moved = first.rows_columns - second.rows_columns
    rows, columns = first.shape_yx
    sides_mm = moved * np.array([[columns * first.spacing_xy_mm[0]], [rows * first.spacing_xy_mm[1]]])
    corners_mm = np.linalg.norm([*sides_mm, sides_mm.sum(axis=0)], axis=1)
    near = corners_mm.max() <= SAME_AXES_VOXELS * min(first.spacing_xy_mm)
    return bool(near and np.abs(moved).max() <= SAME_AXES_COSINE)


def by_size(slices: list[Slice]) -> list[list[Slice]]:
    """Groups of slices with equal size and pixel spacing, the largest group first."""
    groups: list[list[Slice]] = []
    for item in slices:
        group = next((group for group in groups if same_size(group[0], item)), None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    return sorted(groups, key=len, reverse=True)


def by_orientation(slices: list[Slice]) -> list[list[Slice]]:
    """Groups of slices of one size with equal axes, the largest first; all slices of a group get its `_common_axes`.

    Axes differ slightly by rounding, or because the slices went through other programs; slices with slightly different
    axes must still become one volume.
    """
    groups, left = [], slices
    while left:
        middle = _middle(left)
        group = [item for item in left if same_axes(item, middle)]
        axes = _common_axes(group)
        groups.append([replace(item, rows_columns=axes) for item in group])
        left = [item for item in left if not same_axes(item, middle)]
    return sorted(groups, key=len, reverse=True)


def _middle(slices: list[Slice]) -> Slice:
    """The slice with the axes nearest to the element-wise median."""
    axes = np.array([item.rows_columns for item in slices])
    return slices[int(np.abs(axes - np.median(axes, axis=0)).sum(axis=(1, 2)).argmin())]


def _common_axes(slices: list[Slice]) -> np.ndarray:
    """Axes for slices that differ little: the patient's own if many slices have these, else those of the middle one.

    Chance turns a slice off the patient's axes, but never exactly onto them.
    """
    axes = np.array([item.rows_columns for item in slices])
    straight = np.flatnonzero((np.abs(axes - np.rint(axes)) < ON_AXIS).all(axis=(1, 2)))
    many = straight.size >= max(1, STRAIGHT_SHARE * len(slices))
    return slices[straight[0]].rows_columns if many else _middle(slices).rows_columns
