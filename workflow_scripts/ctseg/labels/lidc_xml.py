"""LIDC-IDRI: one mask of the nodules that up to four radiologists outlined, from the archive's XML.

The format is described in the archive's "LIDC XML file documentation" and in Armato et al., Medical Physics 38 (2011)
915. A nodule of 3 mm or more has an outline on each slice that shows it, a chain of pixels just outside of the nodule;
a smaller nodule has a single point. Pixels are counted from 0 in the axial slices of the DICOM series.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.structures import Structure
from ctseg.masks.balls import mark_ball
from ctseg.masks.polygon_fill import fill_even_odd
from ctseg.plurals import counted

LARGEST_FILE_BYTES = 20_000_000  # more than ten times the files of the archive
SMALL_NODULE_MM = 3.0  # smaller nodules have a point instead of an outline
AXIS_TOLERANCE = 1e-3  # tolerance of a direction cosine: 0.06 degrees


@dataclass(frozen=True)
class Outline:
    """A closed chain of pixels, or one point: (n, 2) int32 row, column; `z_mm` is the position of its slice.

    With `inclusion` False, its inside is a hole in the nodule.
    """

    z_mm: float
    inclusion: bool
    pixels_yx: np.ndarray


Nodule = list[Outline]


def read_lidc(
    path: str | Path,
    grid: Grid,
    image_name: str,
    min_readers: int = 2,
    small_nodules: str = "ignore",
    dicom_scan: bool = False,
) -> Structure:
    """The voxels that at least `min_readers` radiologists include in a nodule, with counts and warnings.

    `grid` is the grid of the converted scan: its axes may be swapped and flipped, but must be parallel to the patient's
    axes. The file names rows and columns of the DICOM files. With `dicom_scan` these are the rows and columns of `grid`
    in any position of the patient; a scan of another format may have been flipped, and counts as that of a patient on
    the back. The pixels of an outline are not part of the nodule, nor are pixels inside or on the outline of a hole.
    Nodules below 3 mm, marked by one point, become balls of 3 mm if `small_nodules` is "sphere"; with "ignore" they are
    left out. The file covers the whole scan. If the image is a part of it, outlines beyond its slices are left out with
    a warning; the label of the other slices is complete without them.

    Raises LabelError if the file is damaged, too large or not an annotation of a CT, has fewer readers than
    `min_readers`, if the grid is oblique, and if more than half of the outlines are beyond the image's slices or a
    pixel is beyond its rows or columns.
    """
    readers = _read_sessions(Path(path))
    if len(readers) < min_readers:
        raise LabelError(f"{path} has {len(readers)} readers, fewer than the {min_readers} that must agree")
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    # Write through a view with x, y, z to left, back and head, like the archive's columns, rows and slices.
    view = orient(Volume(mask, grid))
    _require_axial(view.grid, image_name)
    readers = [_nodules_in(nodules, small_nodules) for nodules in readers]
    if dicom_scan:
        readers = [_moved(nodules, grid, view.grid) for nodules in readers]
    inside, beyond = _require_inside(readers, view.grid, str(path), image_name)
    votes = np.zeros(view.grid.shape_zyx, dtype=np.uint8)
    for nodules in readers:
        votes += _reader_mask(nodules, view.grid, inside)
    view.voxels_zyx[...] = votes >= min_readers
    outlines = sum(len(nodule) for nodules in readers for nodule in nodules)
    told = [f"{beyond} of {counted(outlines, 'outline')} lie on slices that the scan does not have"] if beyond else []
    return Structure(mask, {"readers": len(readers), "outlines": outlines, "beyond_scan": beyond}, tuple(told))


def _nodules_in(nodules: list[Nodule], small_nodules: str) -> list[Nodule]:
    return [nodule for nodule in nodules if small_nodules == "sphere" or not _is_small(nodule)]


def _is_small(nodule: Nodule) -> bool:
    return len(nodule) == 1 and len(nodule[0].pixels_yx) == 1


def _read_sessions(path: Path) -> list[list[Nodule]]:
    """The nodules of each reader. Messages never quote texts of the file, because they contain UIDs."""
    root = _parse(path)
    kind = _name(root)
    if kind == "IdriReadMessage":
        raise LabelError(f"{path} annotates a chest X-ray, not a CT: give the XML of the CT series")
    if kind != "LidcReadMessage":
        raise LabelError(f"{path} is not a LIDC-IDRI annotation: its first element is not LidcReadMessage")
    try:
        return [
            [
                [_outline(roi) for roi in _children(nodule, "roi")]
                for nodule in _children(session, "unblindedReadNodule")
            ]
            for session in _children(root, "readingSession")
        ]
    except (ValueError, TypeError, OverflowError):
        raise LabelError(
            f"{path} is damaged: an outline without its slice, or with coordinates that are not numbers; copy it again"
        ) from None


def _parse(path: Path) -> ET.Element:
    """Root of an XML file. A file with a DTD is rejected, so that no entity can expand."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE_BYTES + 1)
    except OSError:
        raise LabelError(f"{path} does not exist or cannot be read") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise LabelError(
            f"{path} is larger than {LARGEST_FILE_BYTES // 1_000_000} MB: it is not a LIDC-IDRI annotation"
        )
    # A NUL byte means UTF-16 or UTF-32, in which the tests for a DTD would find nothing.
    if b"\0" in data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise LabelError(f"{path} declares a DTD or is not in UTF-8: it is not a LIDC-IDRI annotation")
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):  # LookupError: unknown encoding
        raise LabelError(f"{path} is not XML, or it is cut or damaged; copy it again") from None


def _outline(roi: ET.Element) -> Outline:
    """The outline of a `roi` element; ValueError if a part is missing or not a number, OverflowError beyond int32."""
    edges = [(int(_text(edge, "yCoord")), int(_text(edge, "xCoord"))) for edge in _children(roi, "edgeMap")]
    inclusion = {"TRUE": True, "FALSE": False}.get(_text(roi, "inclusion").upper())
    z_mm = float(_text(roi, "imageZposition"))
    if inclusion is None or not edges or not np.isfinite(z_mm):
        raise ValueError
    return Outline(z_mm, inclusion, np.array(edges, dtype=np.int32))


def _name(element: ET.Element) -> str:
    """Tag without its namespace, which differs between the files of the archive."""
    return element.tag.rpartition("}")[2]


def _children(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if _name(child) == name)


def _text(element: ET.Element, name: str) -> str:
    child = next(_children(element, name), None)
    return "" if child is None else (child.text or "").strip()


def _require_axial(grid: Grid, image_name: str) -> None:
    """Raise LabelError unless the axes of an oriented grid are parallel to the patient's axes."""
    if np.abs(np.asarray(grid.direction) - np.eye(3)).max() > AXIS_TOLERANCE:
        raise LabelError(
            f"{image_name} is oblique or tilted: LIDC-IDRI annotations name pixels of axial slices; give the scan as "
            "the archive has it"
        )


def _moved(nodules: list[Nodule], stored: Grid, view: Grid) -> list[Nodule]:
    """The nodules with their rows and columns in one grid replaced by those of the same places in another grid."""

    def moved(outline: Outline) -> Outline:
        points_xyz_mm = stored.points_xyz_mm(np.insert(outline.pixels_yx, 0, 0, axis=1))
        return replace(outline, pixels_yx=np.rint(view.indices_zyx(points_xyz_mm)[:, 1:]).astype(np.int32))

    return [[moved(outline) for outline in nodule] for nodule in nodules]


def _require_inside(readers: list[list[Nodule]], grid: Grid, path: str, image_name: str) -> tuple[range, int]:
    """The range of slice indices of the image, and the number of outlines beyond it.

    Raises LabelError if more than half of the outlines are beyond it, or a pixel of the others is outside of the image.
    """
    outlines = [outline for nodules in readers for nodule in nodules for outline in nodule]
    slices = range(grid.shape_zyx[0])
    there = [outline for outline in outlines if _slice_of(outline, grid) in slices]
    if 2 * len(there) < len(outlines):
        low, high = min(outline.z_mm for outline in outlines), max(outline.z_mm for outline in outlines)
        first, last = (grid.origin_xyz_mm[2] + index * grid.spacing_xyz_mm[2] for index in (0, slices[-1]))
        raise LabelError(
            f"{path} does not belong to {image_name}: {len(outlines) - len(there)} of its {len(outlines)} outlines lie "
            f"outside; they span z {low:.1f}…{high:.1f} mm, the image z {first:.1f}…{last:.1f} mm"
        )
    pixels = np.concatenate([outline.pixels_yx for outline in there]) if there else np.zeros((0, 2), dtype=np.int32)
    if (pixels < 0).any() or (pixels >= grid.shape_zyx[1:]).any():
        raise LabelError(
            f"{path} does not belong to {image_name}: its outlines reach row {pixels[:, 0].max()} and column "
            f"{pixels[:, 1].max()}, the image has {grid.shape_zyx[1]} rows and {grid.shape_zyx[2]} columns"
        )
    return slices, len(outlines) - len(there)


def _slice_of(outline: Outline, grid: Grid) -> int:
    """Index of the nearest slice, which may be outside of the grid."""
    return int(np.rint((outline.z_mm - grid.origin_xyz_mm[2]) / grid.spacing_xyz_mm[2]))


def _reader_mask(nodules: list[Nodule], grid: Grid, slices: range) -> np.ndarray:
    """Bool mask `[z, y, x]` of all nodules of one reader. A hole is cut only from its own nodule."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    for nodule in nodules:
        there = [outline for outline in nodule if _slice_of(outline, grid) in slices]
        if _is_small(nodule):
            for point in there:
                row, column = point.pixels_yx[0]
                centre = grid.points_xyz_mm(np.array([[0, row, column]]))[0]
                centre[2] = point.z_mm
                mark_ball(mask, grid, centre, SMALL_NODULE_MM)
            continue
        for index in {_slice_of(outline, grid) for outline in there}:
            mask[index] |= _slice_mask([part for part in there if _slice_of(part, grid) == index], grid.shape_zyx[1:])
    return mask


def _slice_mask(outlines: list[Outline], shape_yx: tuple[int, int]) -> np.ndarray:
    """Bool image `[y, x]` of one nodule on a slice: inside of its outlines, without holes and their outlines."""
    mask = np.zeros(shape_yx, dtype=bool)
    for outline in sorted(outlines, key=lambda part: not part.inclusion):  # cut holes last
        inside = fill_even_odd([outline.pixels_yx.astype(float)], shape_yx)
        rows, columns = _chain(outline.pixels_yx).T
        inside[rows, columns] = not outline.inclusion
        mask = mask | inside if outline.inclusion else mask & ~inside
    return mask


def _chain(pixels_yx: np.ndarray) -> np.ndarray:
    """All pixels (n, 2) with centres on the closed outline: its points, and pixels between distant points."""
    steps = np.roll(pixels_yx, -1, axis=0) - pixels_yx
    counts = np.maximum(1, np.gcd(steps[:, 0], steps[:, 1]))
    start = np.repeat(np.arange(len(pixels_yx)), counts)
    number = np.arange(len(start)) - np.repeat(np.cumsum(counts) - counts, counts)
    return pixels_yx[start] + (steps // counts[:, None])[start] * number[:, None]
