"""DICOM Segmentation objects as masks on the grid of their image (PS3.3 A.51, C.8.20).

Each frame is a mask of one segment in one plane; planes without the segment are usually not stored, and the order of
the frames means nothing. Frames are placed by where they lie in the patient, never by their number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import get_decoder

from ctseg.errors import InputError
from ctseg.structure_names import find_structures
from ctseg.volume import Grid, box_text

# A SEG that steps by less or more than this share of a voxel was drawn on another lattice.
STEP_TOLERANCE = 0.05
# With this many planes, all on every n-th slice is no chance but the slice distance of another series.
PLANES_TO_JUDGE = 4


class UndecodableError(Exception):
    """The pixels are compressed in a way that no installed decoder reads; the text names it."""


@dataclass(frozen=True)
class Frame:
    """The mask `[row, column]` of a segment in a plane: where its first pixel lies, and the step to the next ones."""

    segment: int
    mask: np.ndarray
    position_xyz_mm: np.ndarray
    row_step_xyz_mm: np.ndarray
    column_step_xyz_mm: np.ndarray

    def points_xyz_mm(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The centres of pixels: (n, 3) LPS points in mm."""
        return self.position_xyz_mm + rows[:, None] * self.row_step_xyz_mm + columns[:, None] * self.column_step_xyz_mm

    def corners_xyz_mm(self) -> np.ndarray:
        """The corners of the box around what is inside: (4, 3) LPS points in mm."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
        return self.points_xyz_mm(np.repeat(rows, 2), np.tile(columns, 2))


def read_segments(
    path: str | Path,
    wanted: Mapping[str, Sequence[str]],
    grid: Grid,
    image_name: str,
    tolerance_mm: float,
    missing_ok: bool = False,
) -> dict[str, np.ndarray]:
    """Read segments of a DICOM SEG: for each label of `wanted` the bool mask `[z, y, x]` of all segments that it names.

    Binary and label map objects are read as they are; of a fractional one, what has at least half of the largest
    value is inside. Raises InputError when the file is damaged or compressed in a way that cannot be read, a segment
    is not there (unless `missing_ok`), its pixels or planes have other distances than the image's voxels, or a pixel
    lies outside of the image or more than `tolerance_mm` off one of its voxels.
    """
    path = Path(path)
    try:
        dataset = pydicom.dcmread(path)
        segments = [(int(item.SegmentNumber), str(item.SegmentLabel)) for item in dataset.SegmentSequence]
        frames = _frames(dataset, [number for number, _ in segments])
    except UndecodableError as problem:
        raise InputError(
            f"{path} is a DICOM SEG compressed as {problem}, which cannot be read: export it uncompressed"
        ) from None
    except Exception:  # a damaged file can make the parser fail in any way
        raise InputError(f"{path} is a DICOM SEG that cannot be read: it is damaged; export it again") from None
    names = [name for _, name in segments]
    masks = {}
    for label, patterns in wanted.items():
        places = find_structures(names, patterns, str(path), "segment", missing_ok)
        numbers = {segments[place][0] for place in places}
        chosen = [frame for frame in frames if frame.segment in numbers]
        masks[label] = _mask(chosen, grid, f"{label} in {path}", image_name, tolerance_mm)
    return masks


def _mask(frames: list[Frame], grid: Grid, name: str, image_name: str, tolerance_mm: float) -> np.ndarray:
    """The voxels at the pixels of these frames."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    if not frames:
        return mask
    corners_xyz_mm = np.concatenate([frame.corners_xyz_mm() for frame in frames])
    corners = grid.indices_zyx(corners_xyz_mm)
    nearest = np.rint(corners).astype(int)
    if (nearest < 0).any() or (nearest >= grid.shape_zyx).any():
        raise InputError(
            f"{name} lies outside of {image_name}: it covers {box_text(corners_xyz_mm)}, the image {grid.box_text()}; "
            "they must come from the same scan"
        )
    off_mm = float((np.abs(corners - nearest) * grid.spacing_zyx_mm).max())
    problem = f"lies up to {off_mm:.2f} mm beside them" if off_mm > tolerance_mm else _other_lattice(frames, grid)
    if problem:
        raise InputError(
            f"{name} does not lie on the voxels of {image_name} but {problem}: it was drawn on another series or "
            "resampled; give the one of this scan"
        )
    for frame in frames:
        points_xyz_mm = frame.points_xyz_mm(*np.nonzero(frame.mask))
        mask[tuple(np.rint(grid.indices_zyx(points_xyz_mm)).astype(int).T)] = True
    return mask


def _other_lattice(frames: list[Frame], grid: Grid) -> str:
    """In what the pixels or planes differ from the voxels of the grid, or an empty text."""
    for frame in frames:
        steps_xyz_mm = np.stack([frame.row_step_xyz_mm, frame.column_step_xyz_mm])
        steps_zyx = grid.indices_zyx(grid.origin_xyz_mm + steps_xyz_mm)
        whole_zyx = np.abs(np.rint(steps_zyx))
        if (np.abs(np.abs(steps_zyx) - whole_zyx) > STEP_TOLERANCE).any() or (whole_zyx.sum(axis=1) != 1).any():
            return "has pixels of {:.3g} x {:.3g} mm".format(*np.linalg.norm(steps_xyz_mm, axis=1))
    normal = int(np.argmin(whole_zyx.sum(axis=0)))
    starts = grid.indices_zyx(np.stack([frame.position_xyz_mm for frame in frames]))
    planes = np.unique(np.rint(starts[:, normal]).astype(int))
    apart = int(np.gcd.reduce(np.diff(planes))) if len(planes) >= PLANES_TO_JUDGE else 1
    return f"has planes {apart} slices apart" if apart > 1 else ""


def _frames(dataset: pydicom.Dataset, segments: list[int]) -> list[Frame]:
    """The frames that are not empty, or one a segment and frame for a label map."""
    values = _values(dataset)
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    threshold = float(dataset.get("MaximumFractionalValue", 1)) / 2
    frames = []
    for plane, group in zip(values, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = _place(group, shared)
        if dataset.SegmentationType == "LABELMAP":
            frames += [Frame(number, plane == number, *place) for number in segments]
        else:
            number = int(_macro("SegmentIdentificationSequence", group, shared).ReferencedSegmentNumber)
            frames.append(Frame(number, plane >= threshold, *place))
    return [frame for frame in frames if frame.mask.any()]


def _values(dataset: pydicom.Dataset) -> np.ndarray:
    """The stored values `[frame, row, column]`; one bit a pixel is packed without gaps between frames."""
    shape = int(dataset.get("NumberOfFrames", 1)), int(dataset.Rows), int(dataset.Columns)
    if 0 in shape:
        raise ValueError("frames without a pixel")
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset.BitsAllocated == 1 and not syntax.is_encapsulated:
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        return bits[: int(np.prod(shape))].reshape(shape)
    if syntax.is_encapsulated and not get_decoder(syntax).is_available:
        raise UndecodableError(syntax.name)
    return dataset.pixel_array.reshape(shape)


def _place(group: pydicom.Dataset, shared: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the first pixel of a frame lies, and the steps to the next row and to the next column, in mm."""
    position = np.array(_macro("PlanePositionSequence", group, shared).ImagePositionPatient, dtype=float)
    axes = np.array(_macro("PlaneOrientationSequence", group, shared).ImageOrientationPatient, dtype=float)
    row_mm, column_mm = (float(mm) for mm in _macro("PixelMeasuresSequence", group, shared).PixelSpacing)
    return position, axes[3:] * row_mm, axes[:3] * column_mm


def _macro(keyword: str, group: pydicom.Dataset, shared: pydicom.Dataset) -> Any:
    """The item of a functional group macro, which stands with the frame or is shared by all."""
    return (group if keyword in group else shared)[keyword].value[0]
