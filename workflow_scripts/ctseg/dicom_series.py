"""Which stacks of slices a folder holds, and which of them is the scan.

A stack is what may become one volume: slices of one series, of one orientation and, where a series holds several, of
one acquisition or time point.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom_frames import frames_of
from ctseg.dicom_header import Header, list_headers
from ctseg.dicom_slice import Slice, optional_number, parse_slice
from ctseg.errors import InputError
from ctseg.label_reference import Reference

COSINE_TOLERANCE = 1e-4  # 0.05 mm at the far end of a 500 mm image
SAME_POSITION_MM = 0.01
AXIAL_COSINE = 0.8  # a gantry tilts by up to 30°, whose cosine is 0.87; planes at 45° are no longer axial
WIDE_ENOUGH = 0.75  # of the longest stack's length: a short stack is part of a scan, not the scan
WHOLE_ENOUGH = 0.9  # of a series' positions that one acquisition must have to be a scan of its own
# What may tell the acquisitions or time points of one series apart, in this order.
PARTS = {
    "AcquisitionNumber": "acquisition",
    "TemporalPositionIdentifier": "time point",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "TriggerTime": "trigger time",
    "ImageType": "image type",
    "ConvolutionKernel": "kernel",
}


@dataclass(frozen=True)
class Stack:
    """Images of one series, sorted along their normal if they are slices; `problem` says why they can be no volume.

    `part` tells a stack from the others of its series, and is empty when there is no other. `fault` is the problem with
    the file that has it, for a message to whom the file belongs.
    """

    series_uid: str
    headers: list[Header]
    slices: list[Slice]
    part: str = ""
    problem: str = ""
    fault: str = ""

    @property
    def depths_mm(self) -> np.ndarray:
        """The distance of each slice from the origin along the slices' normal."""
        return np.array([part.position_xyz_mm @ self.slices[0].normal for part in self.slices])

    @property
    def length_mm(self) -> float:
        """From the first slice to the last."""
        return float(np.ptp(self.depths_mm)) if self.slices else 0.0

    @property
    def image_type(self) -> list[str]:
        """Where the images come from: ORIGINAL or DERIVED, PRIMARY or SECONDARY, AXIAL …"""
        return self.headers[0].texts("ImageType")

    @property
    def patient(self) -> str:
        """What stands for the patient as long as this process runs; empty where the images name none."""
        return self.headers[0].patient

    def facts(self) -> dict[str, Any]:
        """What tells stacks apart and identifies nobody, in plain JSON types."""
        first = self.headers[0]
        positions = len(_distinct(self.depths_mm)) if self.slices else 0
        return {
            "modality": first.text("Modality"),
            "image_type": self.image_type,
            "part": self.part or None,
            "images": len(self.headers),
            "first_to_last_mm": round(self.length_mm, 2),
            "slice_distance_mm": round(self.length_mm / (positions - 1), 3) if positions > 1 else None,
            "slice_thickness_mm": optional_number(first, "SliceThickness"),
            "kernel": " ".join(first.texts("ConvolutionKernel")) or None,
        }


@dataclass(frozen=True)
class Choice:
    """The chosen stack of a folder, and each of the others with the reason why it was not chosen.

    `named` is what the case's label names of it, by which it was chosen: "series", "frame of reference" or "patient".
    """

    folder: Path
    stack: Stack
    others: list[tuple[Stack, str]]
    named: str = ""


def choose_stack(
    folder: str | Path,
    series_uid: str | None = None,
    kernels: Iterable[str] = (),
    reference: Reference | None = None,
) -> Choice:
    """Choose the scan of a folder: of the series asked for, or of those that the label names, or the best of all.

    Original before derived images, primary before secondary, axial before reformats, long before short, then the
    kernels in the order of `kernels` (patterns with `*`), thin slices before thick ones. Raises InputError when no
    stack can be a volume, the series asked for is not there, or none is asked for and they are of several patients.
    """
    root = Path(folder)
    stacks = find_stacks(root)
    candidates = [stack for stack in stacks if series_uid in (None, "", stack.series_uid)]
    if series_uid and not candidates:
        n_series = len({stack.series_uid for stack in stacks if stack.slices})
        raise InputError(
            f"the series asked for by its series_uid is not among the {n_series} CT series of {root}; "
            "correct the series_uid, or leave it out to take the best one"
        )
    usable = [stack for stack in candidates if not stack.problem]
    if not usable:
        raise InputError(_why_none(root, candidates))
    meant, named = reference.narrowed(usable) if reference and not series_uid else (usable, "")
    n_patients = len({stack.patient for stack in meant} - {""})
    if n_patients > 1:
        raise InputError(
            f"{root} holds CT series of {n_patients} patients, so which of them is meant is not clear; give the folder "
            "of one patient, or the series_uid of a series"
        )
    chosen, passed_over = _best(meant, tuple(kernels))
    passed_over += [(stack, f"the label names another {named}") for stack in usable if stack not in meant]
    passed_over += [(stack, stack.problem) for stack in candidates if stack.problem]
    passed_over += [(stack, "another series was asked for") for stack in stacks if stack not in candidates]
    return Choice(root, chosen, passed_over, named)


def find_stacks(folder: str | Path) -> list[Stack]:
    """All stacks of images in and below a folder, also those that are no scan; raises InputError for damaged files."""
    groups: dict[tuple[str, str, str], list[Header]] = defaultdict(list)
    for header in (frame for file in list_headers(folder) for frame in frames_of(file)):
        groups[header.text("SeriesInstanceUID"), header.text("Modality"), header.not_a_slice].append(header)
    stacks = []
    for (uid, _, problem), headers in groups.items():
        stacks += [Stack(uid, headers, [], problem=problem)] if problem else _stacks_of_series(uid, headers)
    return stacks


def _stacks_of_series(uid: str, headers: list[Header]) -> list[Stack]:
    """The slices of one series by orientation and, if some lie at the same place, by acquisition or time point."""
    try:
        slices = [parse_slice(header) for header in headers]
    except InputError as error:
        return [Stack(uid, headers, [], problem="a damaged or incomplete header", fault=str(error))]
    by_orientation = _by_orientation(slices)
    stacks = []
    for index, group in enumerate(by_orientation, start=1):
        view = f"orientation {index} of {len(by_orientation)}" if len(by_orientation) > 1 else ""
        stacks += [_stack(uid, part, ", ".join(filter(None, (view, name)))) for name, part in _parts(group)]
    return stacks


def _stack(uid: str, slices: list[Slice], part: str) -> Stack:
    """A sorted stack; one image, or several of different sizes, are no volume."""
    normal = slices[0].normal
    slices = sorted(slices, key=lambda item: (float(item.position_xyz_mm @ normal), item.path, item.header.frame or 0))
    headers, fault = [item.header for item in slices], ""
    if len(slices) == 1:
        problem = "a single image"
    elif len(_distinct(_depths_mm(slices))) == 1:
        problem = f"its {len(slices)} slices all lie at one position"
    else:
        fault = _different_sizes(slices)
        problem = "slices of different sizes" if fault else ""
    return Stack(uid, headers, slices, part, problem, fault or problem)


def _different_sizes(slices: list[Slice]) -> str:
    """The first two slices that differ in size or pixel spacing, as a fault, or an empty text."""
    first = slices[0]
    for other in slices:
        if other.shape_yx != first.shape_yx or not np.allclose(other.spacing_xy_mm, first.spacing_xy_mm, rtol=1e-4):
            return f"its slices have different sizes ({first.path.name} and {other.path.name}); separate the scans"
    return ""


def _by_orientation(slices: list[Slice]) -> list[list[Slice]]:
    """Slices with the same axes, the largest group first."""
    groups: list[list[Slice]] = []
    for item in slices:
        for group in groups:
            if np.abs(item.rows_columns - group[0].rows_columns).max() <= COSINE_TOLERANCE:
                group.append(item)
                break
        else:
            groups.append([item])
    return sorted(groups, key=len, reverse=True)


def _parts(slices: list[Slice]) -> list[tuple[str, list[Slice]]]:
    """The acquisitions or time points of a series with a name each, if its slices lie at the same places repeatedly.

    The first element of `PARTS` counts that gives stacks without repetition of which one has nearly all positions.
    Otherwise the series stays whole: its repeated slices may be copies of each other.
    """
    everywhere = _distinct(_depths_mm(slices))
    if len(everywhere) in (1, len(slices)):
        return [("", slices)]
    for keyword, name in PARTS.items():
        groups: dict[str, list[Slice]] = defaultdict(list)
        for item in slices:
            groups["\\".join(item.header.texts(keyword))].append(item)
        alone = all(len(_distinct(_depths_mm(group))) == len(group) for group in groups.values())
        if len(groups) > 1 and alone and max(map(len, groups.values())) >= WHOLE_ENOUGH * len(everywhere):
            ordered = sorted(groups.values(), key=lambda group: _part_order(group[0], keyword))
            return [(f"{name} {index} of {len(groups)}", group) for index, group in enumerate(ordered, start=1)]
    return [("", slices)]


def _part_order(item: Slice, keyword: str) -> tuple[float, str]:
    number = optional_number(item.header, keyword)
    return (np.inf if number is None else number, "\\".join(item.header.texts(keyword)))


def _depths_mm(slices: list[Slice]) -> np.ndarray:
    return np.array([item.position_xyz_mm @ slices[0].normal for item in slices])


def _distinct(depths_mm: np.ndarray) -> np.ndarray:
    """Depths that differ by more than `SAME_POSITION_MM`, sorted."""
    ordered = np.sort(depths_mm)
    return ordered[np.concatenate([[True], np.diff(ordered) > SAME_POSITION_MM])]


def _best(stacks: list[Stack], kernels: tuple[str, ...]) -> tuple[Stack, list[tuple[Stack, str]]]:
    """Drop stacks by one criterion after the other until one is left; each dropped one comes with the reason."""
    longest_mm = max(stack.length_mm for stack in stacks)
    criteria: list[tuple[str, Callable[[Stack], float]]] = [
        ("not an original image", lambda stack: "ORIGINAL" in stack.image_type),
        ("a secondary image", lambda stack: "SECONDARY" not in stack.image_type),
        ("a reformat", lambda stack: not {"REFORMATTED", "MPR"} & set(stack.image_type)),
        ("not axial", lambda stack: abs(stack.slices[0].normal[2]) > AXIAL_COSINE),
        ("shorter", lambda stack: stack.length_mm >= WIDE_ENOUGH * longest_mm),
        ("a kernel that was not preferred", lambda stack: -_kernel_rank(stack, kernels)),
        ("thicker slices", lambda stack: -(stack.facts()["slice_distance_mm"] or np.inf)),
        ("fewer slices", lambda stack: len(stack.slices)),
        ("equal to the chosen one", lambda stack: -stacks.index(stack)),
    ]
    left, dropped = list(stacks), []
    for reason, value in criteria:
        best = max(value(stack) for stack in left)
        dropped += [(stack, reason) for stack in left if value(stack) < best]
        left = [stack for stack in left if value(stack) == best]
    return left[0], dropped


def _kernel_rank(stack: Stack, kernels: tuple[str, ...]) -> int:
    """The place of the stack's kernel among the preferred ones, or behind the last."""
    kernel = (stack.facts()["kernel"] or "").lower()
    return next((rank for rank, wanted in enumerate(kernels) if fnmatch(kernel, wanted.lower())), len(kernels))


def _why_none(root: Path, stacks: list[Stack]) -> str:
    """Why a folder has no scan: the fault of its largest stack of slices, or what it holds instead."""
    faulty = [stack for stack in stacks if not stack.headers[0].not_a_slice and len(stack.headers) > 1]
    if faulty:
        return f"the CT series in {root} cannot be used: {max(faulty, key=lambda stack: len(stack.headers)).fault}"
    counts: dict[str, int] = defaultdict(int)
    for stack in stacks:
        modality = stack.headers[0].text("Modality")
        counts[f"CT ({stack.problem})" if modality == "CT" else modality] += len(stack.headers)
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    what = f"found {found}" if found else "there is no DICOM file in it"
    return f"{root} holds no CT series of several slices: {what}"
