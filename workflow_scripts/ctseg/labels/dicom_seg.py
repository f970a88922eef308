"""DICOM Segmentation objects as masks on the grid of their image (PS3.3 A.51, C.8.20).

Each frame is a mask of one segment in one plane; planes without the segment are usually not stored, and the order of
the frames has no meaning. Frames are placed by their position in the patient's space, never by their number. They are
unpacked one after the other, and only the boxes around wanted segments are kept: a file may have a hundred others.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.pixels import get_decoder, iter_pixels

from ctseg.errors import InputError, LabelError
from ctseg.geometry.volume import Grid, box_text
from ctseg.labels.alignment import Tolerance
from ctseg.labels.beyond_scan import Beyond, require_inside
from ctseg.labels.structure_names import find_structures
from ctseg.labels.structures import Structure

# Tolerance of pixel steps in voxels; a SEG with other steps was drawn on another lattice.
STEP_TOLERANCE = 0.05
HALFWAY = 0.009  # rounding of an index halfway between two voxels
# Elements from this size on are read when they are used; the packed masks of a large file then stay in the file.
LARGE_BYTES = 2**20
# Least number of planes to judge their distance: if all are on every n-th slice, the SEG is of another series.
PLANES_TO_JUDGE = 4


class UndecodableError(Exception):
    """No installed decoder reads the compression of the pixels; the text is its name."""


@dataclass(frozen=True)
class Frame:
    """Mask `[row, column]` of the box around a segment in a plane; `corner` is the first row and column of the box.

    The position of the plane's first pixel and the steps to the next row and column are in LPS mm.
    """

    segment: int
    mask: np.ndarray
    corner: tuple[int, int]
    position_xyz_mm: np.ndarray
    row_step_xyz_mm: np.ndarray
    column_step_xyz_mm: np.ndarray

    def points_xyz_mm(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Centres of pixels, whose rows and columns are those of the plane: (n, 3) LPS points in mm."""
        return self.position_xyz_mm + rows[:, None] * self.row_step_xyz_mm + columns[:, None] * self.column_step_xyz_mm

    def true_xyz_mm(self) -> np.ndarray:
        """Centres of the true pixels: (n, 3) LPS points in mm."""
        rows, columns = np.nonzero(self.mask)
        return self.points_xyz_mm(rows + self.corner[0], columns + self.corner[1])

    def corners_xyz_mm(self) -> np.ndarray:
        """Corners of the box around the true pixels: (4, 3) LPS points in mm."""
        (top, left), (rows, columns) = self.corner, self.mask.shape
        ends = np.array([top, top + rows - 1]), np.array([left, left + columns - 1])
        return self.points_xyz_mm(np.repeat(ends[0], 2), np.tile(ends[1], 2))


def read_segments(
    path: str | Path,
    wanted: Mapping[str, Sequence[str]],
    grid: Grid,
    image_name: str,
    tolerance: Tolerance,
    missing_ok: bool = False,
    beyond: str = "cut",
) -> Iterator[tuple[str, Structure]]:
    """Each label of `wanted` with its structure: the union of all its segments in a DICOM SEG.

    In a fractional object, pixels with at least half of the largest value are inside. Raises LabelError if the file is
    damaged or its compression cannot be read, a segment is missing (unless `missing_ok`), the pixels or planes have
    another spacing than the image or are not aligned with it, or half of a structure is beyond the image. A smaller
    part beyond the image is cut, or rejected if `beyond` is "refuse".
    """
    chosen, frames = _read(Path(path), wanted, missing_ok)
    for label, numbers in chosen.items():
        own = [frame for frame in frames if frame.segment in numbers]
        name = f"{label} in {path}"
        yield label, _structure(own, len(numbers), grid, name, image_name, tolerance, beyond)


def _read(
    path: Path, wanted: Mapping[str, Sequence[str]], missing_ok: bool
) -> tuple[dict[str, list[int]], list[Frame]]:
    """Segment numbers of each label, and the frames of these segments; raises LabelError as `read_segments`."""
    try:
        dataset = _opened(path)
        segments = [(int(item.SegmentNumber), str(item.SegmentLabel)) for item in dataset.SegmentSequence]
        names = [name for _, name in segments]
        chosen = {}
        for label, patterns in wanted.items():
            places = find_structures(names, patterns, str(path), "segment", missing_ok, label)
            chosen[label] = [segments[place][0] for place in places]
        of_any = {number for numbers in chosen.values() for number in numbers}
        return chosen, list(_frames(dataset, [number for number, _ in segments if number in of_any]))
    except InputError:
        raise
    except UndecodableError as problem:
        raise LabelError(
            f"{path} is a DICOM SEG compressed as {problem}, which cannot be read: export it uncompressed"
        ) from None
    except Exception:  # a damaged file can make the parser fail in any way
        raise LabelError(f"{path} is a DICOM SEG that cannot be read: it is damaged; export it again") from None


def _opened(path: Path) -> pydicom.Dataset:
    """The file without its large elements, which are read on access; with them if it is deflated."""
    dataset = pydicom.dcmread(path, defer_size=LARGE_BYTES)
    return pydicom.dcmread(path) if dataset.file_meta.TransferSyntaxUID.is_deflated else dataset


def _structure(
    frames: list[Frame], segments: int, grid: Grid, name: str, image_name: str, tolerance: Tolerance, beyond: str
) -> Structure:
    """The structure of all true pixels of the frames; raises LabelError as `read_segments`."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    facts = {"segments": segments, "frames": len(frames)}
    if not frames:
        return Structure(mask, facts, empty="no pixel of its segment is set" if segments else "")
    corners_xyz_mm = np.concatenate([frame.corners_xyz_mm() for frame in frames])
    corners = grid.indices_zyx(corners_xyz_mm)
    outside, inside = _outside(frames, corners, grid)
    covered = box_text(corners_xyz_mm)
    told = require_inside(outside, beyond, name, image_name, covered, grid.box_text())
    off_mm = float((np.abs(corners - np.rint(corners)) * grid.spacing_zyx_mm).max())
    beside = f"{name} does not lie on the voxels of {image_name} but"
    if problem := _other_lattice(frames, grid):
        raise LabelError(f"{beside} {problem}: it was drawn on another series or resampled; give the SEG of this scan")
    if tolerance.refuses(off_mm):
        raise LabelError(f"{beside} lies up to {off_mm:.4g} mm beside them, and {tolerance.advice(off_mm)}")
    for indices in inside:
        mask[tuple(indices.T)] = True
    return Structure(mask, facts | {"beyond_scan": outside.parts}, (*told, *tolerance.told(off_mm)))


def _outside(frames: list[Frame], corners: np.ndarray, grid: Grid) -> tuple[Beyond, Iterator[np.ndarray]]:
    """The part of the pixels beyond the grid, and per frame the z, y, x indices (n, 3) of the pixels inside."""
    size_zyx = np.asarray(grid.shape_zyx)

    def nearest(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        indices = _nearest(grid.indices_zyx(frame.true_xyz_mm()))
        return indices, np.asarray(((indices >= 0) & (indices < size_zyx)).all(axis=1))

    over = np.maximum(-corners, corners - (size_zyx - 1)).clip(0)
    pixels, lost = sum(int(frame.mask.sum()) for frame in frames), 0
    if (over > 0.5 - HALFWAY).any():
        lost = sum(int((~there).sum()) for _, there in map(nearest, frames))
    beyond = Beyond(lost, pixels, "pixels", lost / pixels, float((over * grid.spacing_zyx_mm).max()))
    return beyond, (indices[there] for indices, there in map(nearest, frames))


def _nearest(indices: np.ndarray) -> np.ndarray:
    """Nearest whole numbers; halfway always the larger one, since the even one would join two planes in one slice."""
    return np.floor(indices + 0.5 + HALFWAY).astype(int)


def _other_lattice(frames: list[Frame], grid: Grid) -> str:
    """Difference of pixels or planes from the voxels of the grid, for a message; empty if there is none."""
    for frame in frames:
        steps_xyz_mm = np.stack([frame.row_step_xyz_mm, frame.column_step_xyz_mm])
        steps_zyx = grid.indices_zyx(grid.origin_xyz_mm + steps_xyz_mm)
        whole_zyx = np.abs(np.rint(steps_zyx))
        if (np.abs(np.abs(steps_zyx) - whole_zyx) > STEP_TOLERANCE).any() or (whole_zyx.sum(axis=1) != 1).any():
            return "has pixels of {:.3g} x {:.3g} mm".format(*np.linalg.norm(steps_xyz_mm, axis=1))
    normal = int(np.argmin(whole_zyx.sum(axis=0)))
    starts = grid.indices_zyx(np.stack([frame.position_xyz_mm for frame in frames]))
    planes = np.unique(_nearest(starts[:, normal]))
    apart = int(np.gcd.reduce(np.diff(planes))) if len(planes) >= PLANES_TO_JUDGE else 1
    return f"has planes {apart} slices apart" if apart > 1 else ""


def _frames(dataset: pydicom.Dataset, wanted: Collection[int]) -> Iterator[Frame]:
    """The frames of the wanted segments that are not empty; a label map has one for each segment in a plane."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    threshold = float(dataset.get("MaximumFractionalValue", 1)) / 2
    label_map = dataset.SegmentationType == "LABELMAP"
    for plane, group in zip(_planes(dataset), dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = _place(group, shared)
        if label_map:
            masks = ((number, plane == number) for number in wanted)
        else:
            own = int(_macro("SegmentIdentificationSequence", group, shared).ReferencedSegmentNumber)
            masks = ((number, plane >= threshold) for number in [own] if number in wanted)
        for number, mask in masks:
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            if rows.size:
                box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                yield Frame(number, mask[box].copy(), (int(rows[0]), int(columns[0])), *place)


def _planes(dataset: pydicom.Dataset) -> Iterator[np.ndarray]:
    """Stored values `[row, column]` of each frame; with one bit per pixel, frames are packed without gaps."""
    frames, shape = int(dataset.get("NumberOfFrames", 1)), (int(dataset.Rows), int(dataset.Columns))
    if 0 in (frames, *shape):
        raise ValueError("frames without a pixel")
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset.BitsAllocated == 1 and not syntax.is_encapsulated:
        yield from _unpacked(_pixel_bytes(dataset), frames, shape)
        return
    if syntax.is_encapsulated and not get_decoder(syntax).is_available:
        raise UndecodableError(syntax.name)
    for plane in iter_pixels(dataset):
        yield plane.reshape(shape)


def _pixel_bytes(dataset: pydicom.Dataset) -> np.ndarray:
    """Bytes of the pixels as stored; if they were not read, they are mapped into memory page by page."""
    element = dataset.get_item("PixelData", keep_deferred=True)
    if isinstance(element, RawDataElement) and element.value is None:
        return np.memmap(str(dataset.filename), np.uint8, "r", element.value_tell, (element.length,))
    return np.frombuffer(element.value, np.uint8)


def _unpacked(packed: np.ndarray, frames: int, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Bits `[row, column]` of each frame as 0 and 1; `packed` has eight pixels in a byte, the first in the lowest bit.

    pydicom 3 loses the last pixels of a single frame that does not begin at a byte.
    """
    pixels = shape[0] * shape[1]
    if frames * pixels > 8 * packed.size:
        raise ValueError("fewer pixels than frames")
    for start in range(0, frames * pixels, pixels):
        bits = np.unpackbits(packed[start // 8 : (start + pixels + 7) // 8], bitorder="little")
        yield bits[start % 8 :][:pixels].reshape(shape)


def _place(group: pydicom.Dataset, shared: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position of the first pixel of a frame, and steps to the next row and column: (3,) in LPS mm each."""
    position = np.array(_macro("PlanePositionSequence", group, shared).ImagePositionPatient, dtype=float)
    axes = np.array(_macro("PlaneOrientationSequence", group, shared).ImageOrientationPatient, dtype=float)
    row_mm, column_mm = (float(mm) for mm in _macro("PixelMeasuresSequence", group, shared).PixelSpacing)
    return position, axes[3:] * row_mm, axes[:3] * column_mm


def _macro(keyword: str, group: pydicom.Dataset, shared: pydicom.Dataset) -> Any:
    """The item of a functional group macro, from the frame or else from the shared groups."""
    return (group if keyword in group else shared)[keyword].value[0]
