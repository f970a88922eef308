"""Voxels of a structure from its closed outlines."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid, box_text
from ctseg.labels.alignment import ROUNDING_MM, Tolerance
from ctseg.labels.beyond_scan import Beyond, require_inside
from ctseg.labels.outline_areas import Outline, distinct, plane_area, shoelace
from ctseg.labels.outline_gaps import HALFWAY, Area, areas_of, filled, link, nearest_slice
from ctseg.labels.outline_planes import columns, planes
from ctseg.labels.structures import Structure
from ctseg.masks.polygon_fill import SNAP_VOXELS

MARGIN_VOXELS = 0.5  # distance that an outline may pass the edge of the image in y, x without a warning
EDGE_VOXELS = HALFWAY  # the same for the outer face of the first or last slice: rounding
FLAT_VOXELS = 0.5  # in slices: largest distance of a point from the outline's plane


def rasterise(
    contours_xyz_mm: Sequence[np.ndarray], grid: Grid, name: str, image_name: str, beyond: str = "cut"
) -> Structure:
    """The structure of the voxels with centres inside closed contours, (n, 3) LPS points in mm each.

    An outline belongs to the nearest slice; repeated outlines count once. In a plane (with small offsets), an outline
    inside of another one is a hole, an outline inside of a hole is an island, and other outlines are united. If several
    planes of a lesion are nearest to the same slice, the nearest is used. If planes are farther apart than slices, the
    slices between two planes of usual distance are interpolated, and half of this distance is filled beyond the
    outermost planes; a wider gap stays empty. A warning says so if all contours lie between slices.

    Raises LabelError if an outline is not parallel to the slices, or if half of the structure is beyond the image. A
    smaller part beyond the image is cut with a warning, or rejected if `beyond` is "refuse".
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
    return Structure(mask, facts, (*told, *_beside(flat, grid)), empty)


def _outline(points_xyz_mm: np.ndarray, grid: Grid) -> Outline | None:
    """A contour in voxel indices; None if it is not parallel to the slices."""
    points = np.round(grid.indices_zyx(points_xyz_mm) / SNAP_VOXELS) * SNAP_VOXELS
    depth = float(points[:, 0].mean())
    return None if np.abs(points[:, 0] - depth).max() > FLAT_VOXELS else Outline(depth, points[:, 1:])


def _paint(mask: np.ndarray, outlines: Sequence[Outline]) -> int:
    """Fill the outlines in `mask` `[z, y, x]`, in place, and return the number of repeated outlines."""
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
    for number, place, image in chain(painted, filled(areas)):
        if 0 <= number <= last:
            mask[number][place] |= image
    return twice


def _slice_of(depth: float, last: int) -> int:
    """Index of the slice nearest to a depth; the outer faces (to `EDGE_VOXELS`) belong to the first and last slice."""
    inside = -0.5 - EDGE_VOXELS <= depth <= last + 0.5 + EDGE_VOXELS
    return min(max(nearest_slice(depth), 0), last) if inside else nearest_slice(depth)


def _areas(plane: Sequence[Outline], box_yx: tuple[slice, slice]) -> list[Area]:
    """Connected areas inside the outlines of a plane, in a box; all get the depth of the largest outline."""
    depth = max(plane, key=lambda outline: outline.area).depth
    rows, columns = box_yx
    moved = [Outline(outline.depth, outline.points_yx - [rows.start, columns.start]) for outline in plane]
    shape_yx = rows.stop - rows.start, columns.stop - columns.start
    return areas_of(depth, plane_area(moved, shape_yx), (rows.start, columns.start))


def _box(column: Sequence[Outline], shape_yx: tuple[int, ...]) -> tuple[slice, slice]:
    """Box around all outlines of a column, cut at the image."""
    boxes = np.stack([outline.box for outline in column])
    low = np.floor(boxes[:, :2].min(axis=0)).clip(0, shape_yx).astype(int).tolist()
    high = np.ceil(boxes[:, 2:].max(axis=0) + 1).clip(low, shape_yx).astype(int).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def _beside(outlines: Sequence[Outline], grid: Grid) -> list[str]:
    """A warning about outlines that all lie beside slices, by more than a label may without one; else an empty list."""
    depths = np.array([outline.depth for outline in outlines])
    off_mm = np.abs(depths - np.rint(depths)) * grid.spacing_zyx_mm[0]
    if off_mm.min() <= Tolerance.of(grid).silent_mm + ROUNDING_MM:
        return []
    ends = dict.fromkeys(f"{mm:.3g}" for mm in (off_mm.min(), off_mm.max()))
    lie, were = ("the contour lies", "was") if len(outlines) == 1 else (f"all {len(outlines)} contours lie", "were")
    return [f"{lie} {' to '.join(ends)} mm beside the nearest slice of the scan and {were} drawn on it"]


def _outside(outlines: Sequence[Outline], grid: Grid) -> Beyond:
    """The outlines beyond the image: their number, the share of the area outside, and the largest distance."""
    parts, areas, lost, furthest_mm = 0, 0.0, 0.0, 0.0
    size_zyx, spacing_mm = np.asarray(grid.shape_zyx), np.asarray(grid.spacing_zyx_mm)
    for outline in outlines:
        low, high = np.array([outline.depth, *outline.box[:2]]), np.array([outline.depth, *outline.box[2:]])
        over = np.maximum(-0.5 - low, high - (size_zyx - 0.5)).clip(0)  # voxels beyond the outer faces, along z, y, x
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
    """Part of a polygon (n, 2) inside the image, by the method of Sutherland and Hodgman (CACM 17 (1974) 32)."""
    points = points_yx
    for axis in (0, 1):
        for sign, edge in ((1.0, -0.5), (-1.0, float(shape_yx[axis]) - 0.5)):
            points = _halved(points, axis, sign, edge)
    return points


def _halved(points_yx: np.ndarray, axis: int, sign: float, edge: float) -> np.ndarray:
    """Part of a polygon on one side of an edge; a single point if nothing remains."""
    height = (points_yx[:, axis] - edge) * sign
    following, next_height = np.roll(points_yx, -1, axis=0), np.roll(height, -1)
    kept = []
    for start, end, here, there in zip(points_yx, following, height, next_height, strict=True):
        if here >= 0:
            kept.append(start)
        if (here >= 0) != (there >= 0):
            kept.append(start + (end - start) * (here / (here - there)))
    return np.array(kept) if kept else np.full((1, 2), edge)
