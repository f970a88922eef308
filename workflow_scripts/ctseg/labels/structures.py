"""Structures of a label file, and their union into one label map, with a policy for overlaps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Shape
from ctseg.plurals import counted

OVERLAP = ("later", "earlier", "refuse")  # policies for a voxel in several labels


@dataclass(frozen=True)
class Structure:
    """One label in a file: bool mask `[z, y, x]`, facts in plain JSON types, and warnings for the user.

    `empty` is the reason for a mask without voxels, if the file contains the structure.
    """

    mask: np.ndarray
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    empty: str = ""


def united_rois(parts: Iterable[Structure], not_closed: Sequence[int], grid: Grid) -> Structure:
    """Union of the ROIs of a label; `not_closed` has the number of points and lines (no area) of each ROI."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    told: list[str] = []
    reasons: list[str] = []
    facts = {"rois": len(not_closed), "not_closed": sum(not_closed)}
    for part in parts:
        mask |= part.mask
        told += part.warnings
        reasons += [part.empty] if part.empty else []
        for key, value in part.facts.items():
            facts[key] = facts.get(key, 0) + value
    if facts["not_closed"]:
        what = "contours are points or open lines" if facts["not_closed"] > 1 else "contour is a point or an open line"
        told.append(f"{facts['not_closed']} {what} without an area, and not filled")
        reasons.append(f"{facts['not_closed']} {what}")
    empty = "" if mask.any() or not not_closed else "; ".join(dict.fromkeys(reasons))
    return Structure(mask, facts, tuple(told), empty)


@dataclass
class Count:
    """Number of voxels of a label in its file, and of voxels lost to each other label."""

    drawn: int = 0
    lost_to: dict[str, int] = field(default_factory=dict)

    def lose(self, voxels: int, other: str) -> None:
        """Add voxels that are lost to another label."""
        self.lost_to[other] = self.lost_to.get(other, 0) + voxels

    @property
    def kept(self) -> int:
        """Number of voxels that remain."""
        return self.drawn - sum(self.lost_to.values())


def unite(structures: Iterable[tuple[str, Structure]], shape_zyx: Shape, overlap: str) -> tuple[np.ndarray, dict]:
    """Label map uint8 `[z, y, x]` with classes 1, 2, … in the order of the labels, and a `Count` for each label.

    A voxel in several labels gets the earliest of them if `overlap` is "earlier", else the latest.
    """
    classes = np.zeros(shape_zyx, dtype=np.uint8)
    counts: dict[str, Count] = {}
    for number, (label, structure) in enumerate(structures, start=1):
        names = list(counts)
        counts[label] = Count()
        for part in mapped_arrays.by_slab(classes):
            mask, below = structure.mask[part], classes[part]
            owners = np.bincount(below[mask], minlength=number)
            counts[label].drawn += int(owners.sum())
            for other, voxels in zip(names, owners[1:].tolist(), strict=True):
                if voxels:
                    loser, winner = (label, other) if overlap == "earlier" else (other, label)
                    counts[loser].lose(voxels, winner)
            below[mask & (below == 0) if overlap == "earlier" else mask] = number
    return classes, counts


def require_kept(counts: Mapping[str, Count], overlap: str, path: str) -> list[str]:
    """Warnings about voxels that labels lose to others.

    Raises LabelError if a label loses all its voxels, and for any overlap if `overlap` is "refuse".
    """
    other_way = {"later": ("later", "after", "earlier"), "earlier": ("earlier", "before", "later")}
    told = []
    for label, count in counts.items():
        if not count.lost_to:
            continue
        takers = " and ".join(count.lost_to)
        lost = f"{takers} {'take' if len(count.lost_to) > 1 else 'takes'} {count.drawn - count.kept} of"
        if overlap == "refuse":
            raise LabelError(
                f"{path}: {label} and {takers} overlap in {counted(count.drawn - count.kept, 'voxel')}, which "
                "target.overlap: refuse forbids; set it to later or earlier, or correct the label"
            )
        wins, place, otherwise = other_way[overlap]
        if not count.kept:
            raise LabelError(
                f"{path}: {label} ends without a voxel: {takers} {'take' if len(count.lost_to) > 1 else 'takes'} all "
                f"its {count.drawn} voxels, since the {wins} of two labels in target.labels wins. List {label} {place} "
                f"{takers} there, or set target.overlap: {otherwise}"
            )
        told.append(f"{lost} the {count.drawn} voxels of {label}: the {wins} of two labels wins (target.overlap)")
    return told
