"""Stacks of slices in a folder.

A stack is a candidate for one volume: slices of one series, one size and one orientation and, if the series has several
acquisitions or time points, of one of them.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.dicom.alike import by_orientation, by_size
from ctseg.dicom.header import Header, list_headers
from ctseg.dicom.multiframe import frames_of
from ctseg.dicom.slice import Slice, optional_number, parse_slice
from ctseg.dicom.slice_spacing import gaps, near_mm, places_mm
from ctseg.errors import InputError

WHOLE_ENOUGH = 0.9  # least share of a series' positions or range that makes an acquisition a scan of its own
ODD_SHARE = 0.1  # of the fitting slices; up to this share, images that do not fit may be left out
# Elements that may separate the acquisitions or time points of one series, in the order of use.
PARTS = {
    "AcquisitionNumber": "acquisition",
    "TemporalPositionIdentifier": "time point",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "TriggerTime": "trigger time",
    "ImageType": "image type",
    "ConvolutionKernel": "kernel",
}
DAMAGED = "a damaged or incomplete header"


@dataclass(frozen=True)
class Stack:
    """Images of one series, sorted along their normal if they are slices; `problem` says why they are no volume.

    `part` distinguishes the stacks of slices of one series, and is empty if the series has only one. `fault` describes
    the problem with the name of the affected file, and is only for messages to the owner of the file. All slices of a
    stack without a problem have the same `rows_columns`.
    """

    series_uid: str
    headers: list[Header]
    slices: list[Slice]
    part: str = ""
    problem: str = ""
    fault: str = ""

    @property
    def depths_mm(self) -> np.ndarray:
        """Signed distance of each slice from the origin along the slices' normal, in mm."""
        return _depths_mm(self.slices)

    @property
    def length_mm(self) -> float:
        """Distance from the first slice to the last, in mm; 0 without slices."""
        return float(np.ptp(self.depths_mm)) if self.slices else 0.0

    @property
    def image_type(self) -> list[str]:
        """The values of ImageType: ORIGINAL or DERIVED, PRIMARY or SECONDARY, AXIAL …"""
        return self.headers[0].texts("ImageType")

    @property
    def patient(self) -> str:
        """Stand-in for the patient, valid while this process runs; empty if the images name no patient."""
        return self.headers[0].patient

    def facts(self) -> dict[str, Any]:
        """Facts that distinguish stacks and identify no person, in plain JSON types."""
        first = self.headers[0]
        positions = len(places_mm(self.depths_mm)) if self.slices else 0
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


def find_stacks(folder: str | Path) -> list[Stack]:
    """All stacks of images in and below a folder, also unusable ones; raises ScanError for damaged files."""
    groups: dict[tuple[str, str, str], list[Header]] = defaultdict(list)
    for header in (frame for file in list_headers(folder) for frame in frames_of(file)):
        groups[header.text("SeriesInstanceUID"), header.text("Modality"), header.not_a_slice].append(header)
    stacks = []
    for (uid, _, problem), headers in groups.items():
        stacks += [Stack(uid, headers, [], problem=problem)] if problem else _stacks_of_series(uid, headers)
    return stacks


def _stacks_of_series(uid: str, headers: list[Header]) -> list[Stack]:
    """Stacks of one series by size, orientation and, if a range is covered repeatedly, acquisition or time point."""
    slices, odd, fault = _parsed(headers)
    if len(odd) > ODD_SHARE * len(slices):
        return [Stack(uid, headers, [], problem=DAMAGED, fault=fault)]
    sizes = by_size(slices)
    if sum(map(len, sizes[1:])) > ODD_SHARE * len(sizes[0]):
        names = f"{sizes[0][0].path.name} and {sizes[1][0].path.name}"
        fault = f"its slices have different sizes ({names}); separate the scans, or remove foreign images"
        return [_stack(uid, slices, "", "slices of different sizes", fault)]
    stacks = [Stack(uid, odd, [], problem=DAMAGED, fault=fault)] if odd else []
    for number, group in enumerate(sizes, start=1):
        size = _one_of(number, sizes, "size")
        views = by_orientation(group)
        for place, alike in enumerate(views, start=1):
            axes = _one_of(place, views, "orientation")
            stacks += [_stack(uid, part, ", ".join(filter(None, (size, axes, name)))) for name, part in _parts(alike)]
    return stacks


def _parsed(headers: list[Header]) -> tuple[list[Slice], list[Header], str]:
    """The slices among some images, the images that are no slices, and the error message of the first of these."""
    slices, odd, fault = [], [], ""
    for header in headers:
        try:
            slices.append(parse_slice(header))
        except InputError as error:
            odd.append(header)
            fault = fault or str(error)
    return slices, odd, fault


def _one_of(number: int, groups: list[list[Slice]], what: str) -> str:
    return f"{what} {number} of {len(groups)}" if len(groups) > 1 else ""


def _stack(uid: str, slices: list[Slice], part: str, problem: str = "", fault: str = "") -> Stack:
    """A sorted stack; a single image, or slices at only one position, are a problem."""
    normal = slices[0].normal
    slices = sorted(slices, key=lambda item: (float(item.position_xyz_mm @ normal), item.path, item.header.frame or 0))
    if len(slices) == 1:
        problem = "a single image"
    elif not problem and len(places_mm(_depths_mm(slices))) == 1:
        problem = f"its {len(slices)} slices all lie at one position"
    return Stack(uid, [item.header for item in slices], slices, part, problem, fault or problem)


def _parts(slices: list[Slice]) -> list[tuple[str, list[Slice]]]:
    """The acquisitions or time points of a series, each with a name, if they cover one range repeatedly.

    The first element of `PARTS` that separates them is used. Otherwise the series stays whole, with an empty name: its
    repeated slices may be copies of each other.
    """
    apart_mm = near_mm(_depths_mm(slices))
    for keyword, name in PARTS.items():
        groups: dict[str, list[Slice]] = defaultdict(list)
        for item in slices:
            groups["\\".join(item.header.texts(keyword))].append(item)
        if len(groups) > 1 and _told_apart(slices, list(groups.values()), apart_mm):
            ordered = sorted(groups.values(), key=lambda group: _part_order(group[0], keyword))
            return [(f"{name} {index} of {len(groups)}", group) for index, group in enumerate(ordered, start=1)]
    return [("", slices)]


def _told_apart(slices: list[Slice], groups: list[list[Slice]], apart_mm: float) -> bool:
    """Whether groups are acquisitions of one range: each group is evenly spaced and covers the range.

    If several slices are at one place, a weaker condition suffices: no group has two slices at one place, and one group
    has nearly all places.
    """
    depths_mm = _depths_mm(slices)
    ranges = [np.sort(_depths_mm(group)) for group in groups]
    whole_mm = WHOLE_ENOUGH * np.ptp(depths_mm)
    if all(len(depths) > 2 and np.ptp(depths) >= whole_mm > 0 and not gaps(np.diff(depths)) for depths in ranges):
        return True
    everywhere = len(places_mm(depths_mm, apart_mm))
    repeated = any(len(places_mm(depths, apart_mm)) < len(depths) for depths in ranges)
    enough = max(map(len, groups)) >= WHOLE_ENOUGH * everywhere
    return 1 < everywhere < len(slices) and enough and not repeated


def _part_order(item: Slice, keyword: str) -> tuple[float, str]:
    number = optional_number(item.header, keyword)
    return (np.inf if number is None else number, "\\".join(item.header.texts(keyword)))


def _depths_mm(slices: list[Slice]) -> np.ndarray:
    return np.array([item.position_xyz_mm for item in slices]) @ slices[0].normal
