"""Closed outlines of a structure as voxels. Each outline is judged for itself: where it lies, and what it encloses."""

from collections.abc import Sequence

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid, box_text
from ctseg.labels.beyond_scan import Beyond, require_inside
from ctseg.labels.outline_areas import Outline, distinct, plane_area, shoelace
from ctseg.labels.outline_gaps import Area, areas_of, filled, link, nearest_slice
from ctseg.labels.outline_planes import columns, planes
from ctseg.labels.structures import Structure
from ctseg.masks.polygon_fill import SNAP_VOXELS

MARGIN_VOXELS = 0.5  # by which an outline may pass the edge of the image without a word
EDGE_VOXELS = 1e-3  # by which an outline may pass the first or last slice's edge: rounding
FLAT_VOXELS = 0.5  # in slices: points of one outline that lie farther from its plane are not parallel to the slices


def rasterise(
    contours_xyz_mm: Sequence[np.ndarray], grid: Grid, name: str, image_name: str, beyond: str = "cut"
) -> Structure:
    """The voxels whose centres are enclosed by closed contours, (n, 3) LPS points in mm each.

    An outline belongs to the nearest slice. Of one that is stored twice one counts. In a plane, and a little beside it,
    an outline inside of another one is a hole, one inside of a hole an island, and others are united. Of planes of one
    lesion that are nearest to one slice the nearest is taken. Where planes are farther apart than slices, those between
    two planes of usual distance are interpolated, and the outermost reach half of that distance farther; a wider gap
    stays one.

    Raises LabelError when an outline is not parallel to the slices, or half of the structure lies beyond the image;
    what else lies beyond is cut and told, or refused if `beyond` is "refuse".
    """
    outlines = [_outline(points, grid) for points in contours_xyz_mm]
    slanted = [outline for outline in outlines if outline is None]
    if slanted:
        raise LabelError(
            f"{name} has contours that are not parallel to the slices of {image_name}: {len(slanted)} of "
            f"{len(outlines)}"
        )
    flat = [outline for outline in outlines if outline is not None]
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    if not flat:
        return Structure(mask, {"contours": 0}, empty="it has no closed contour")
    outside = _outside(flat, grid)
    box = box_text(np.concatenate(contours_xyz_mm))
    told = require_inside(outside, beyond, name, image_name, box, grid.box_text())
    twice = _paint(mask, flat)
    facts = {"contours": len(flat), "stored_twice": twice, "beyond_scan": outside.parts}
    empty = "" if mask.any() else f"its {len(flat)} closed contours enclose no voxel's centre"
    return Structure(mask, facts, tuple(told), empty)


def _outline(points_xyz_mm: np.ndarray, grid: Grid) -> Outline | None:
    """A contour in voxels; None when it is not parallel to the slices."""
    points = np.round(grid.indices_zyx(points_xyz_mm) / SNAP_VOXELS) * SNAP_VOXELS
    depth = float(points[:, 0].mean())
    return None if np.abs(points[:, 0] - depth).max() > FLAT_VOXELS else Outline(depth, points[:, 1:])


def _paint(mask: np.ndarray, outlines: Sequence[Outline]) -> int:
    """Fill what the outlines enclose in `mask`, in place; how many outlines were stored twice."""
    twice, areas = 0, []
    for column in columns(outlines):
        box = _box(column, mask.shape[1:])
        column_areas = []
        for plane in planes(column):
            kept = distinct(plane)
            twice += len(plane) - len(kept)
            column_areas.append(_areas(kept, box))
        link(column_areas)
        areas += [area for plane_areas in column_areas for area in plane_areas]
    last = mask.shape[0] - 1
    painted = [(_slice_of(area.depth, last), area.box_yx, area.image) for area in areas if not area.outdone]
    for number, place, image in [*painted, *filled(areas)]:
        if 0 <= number <= last:
            mask[number][place] |= image
    return twice


def _slice_of(depth: float, last: int) -> int:
    """The slice that is nearest to a depth; to `EDGE_VOXELS` the outer faces belong to the first and the last one."""
    inside = -0.5 - EDGE_VOXELS <= depth <= last + 0.5 + EDGE_VOXELS
    return min(max(nearest_slice(depth), 0), last) if inside else nearest_slice(depth)


def _areas(plane: Sequence[Outline], box_yx: tuple[slice, slice]) -> list[Area]:
    """The connected areas that the outlines of a plane enclose in a box; holes beside it lie in the largest's plane."""
    depth = max(plane, key=lambda outline: outline.area).depth
    rows, columns = box_yx
    moved = [Outline(outline.depth, outline.points_yx - [rows.start, columns.start]) for outline in plane]
    shape_yx = rows.stop - rows.start, columns.stop - columns.start
    return areas_of(depth, plane_area(moved, shape_yx), (rows.start, columns.start))


def _box(column: Sequence[Outline], shape_yx: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of the image around some outlines."""
    boxes = np.stack([outline.box for outline in column])
    low = np.floor(boxes[:, :2].min(axis=0)).clip(0, shape_yx).astype(int).tolist()
    high = np.ceil(boxes[:, 2:].max(axis=0) + 1).clip(low, shape_yx).astype(int).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def _outside(outlines: Sequence[Outline], grid: Grid) -> Beyond:
    """How many outlines reach beyond the image, which share of the area, and how far."""
    parts, areas, lost, furthest_mm = 0, 0.0, 0.0, 0.0
    size_zyx, spacing_mm = np.asarray(grid.shape_zyx), np.asarray(grid.spacing_zyx_mm)
    for outline in outlines:
        low, high = np.array([outline.depth, *outline.box[:2]]), np.array([outline.depth, *outline.box[2:]])
        over = np.maximum(-0.5 - low, high - (size_zyx - 0.5)).clip(0)  # voxels beyond the edge, by axis
        above, aside = over[0] > EDGE_VOXELS, (over[1:] > MARGIN_VOXELS + EDGE_VOXELS).any()
        inside = 0.0 if above else shoelace(_clipped(outline.points_yx, size_zyx[1:])) if aside else outline.area
        areas += outline.area
        lost += outline.area - inside
        if above or aside:
            parts += 1
            furthest_mm = max(furthest_mm, float((over * spacing_mm).max()))
    share = lost / areas if areas else parts / len(outlines)
    return Beyond(parts, len(outlines), "contours", share, furthest_mm)


def _clipped(points_yx: np.ndarray, shape_yx: np.ndarray) -> np.ndarray:
    """The part of a polygon inside the image, by the method of Sutherland and Hodgman (CACM 17 (1974) 32)."""
    points = points_yx
    for axis in (0, 1):
        for sign, edge in ((1.0, -0.5), (-1.0, float(shape_yx[axis]) - 0.5)):
            points = _halved(points, axis, sign, edge)
    return points


def _halved(points_yx: np.ndarray, axis: int, sign: float, edge: float) -> np.ndarray:
    """The part of a polygon on one side of an edge; a point at the edge where nothing is left."""
    height = (points_yx[:, axis] - edge) * sign
    following, next_height = np.roll(points_yx, -1, axis=0), np.roll(height, -1)
    kept = []
    for start, end, here, there in zip(points_yx, following, height, next_height, strict=True):
        if here >= 0:
            kept.append(start)
        if (here >= 0) != (there >= 0):
            kept.append(start + (end - start) * (here / (here - there)))
    return np.array(kept) if kept else np.full((1, 2), edge)
