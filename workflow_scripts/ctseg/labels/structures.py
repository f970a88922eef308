"""The voxels that a label's structures have in its file, and what becomes of them where labels overlap."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctseg.errors import LabelError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Shape
from ctseg.plurals import counted

OVERLAP = ("later", "earlier", "refuse")  # which label has a voxel that several claim


@dataclass(frozen=True)
class Structure:
    """What a file holds of one label: a bool mask `[z, y, x]`, facts in plain JSON types, and sentences for people.

    `empty` says why the mask has no voxel, where the file should have had some.
    """

    mask: np.ndarray
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    empty: str = ""


def united_rois(parts: Iterable[Structure], not_closed: Sequence[int], grid: Grid) -> Structure:
    """One structure of the ROIs of a label; `not_closed` counts the points and lines of each, which have no area."""
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
    """How many voxels a label had in its file, and how many it lost to each other label."""

    drawn: int = 0
    lost_to: dict[str, int] = field(default_factory=dict)

    def lose(self, voxels: int, other: str) -> None:
        """Count voxels that another label has taken."""
        self.lost_to[other] = self.lost_to.get(other, 0) + voxels

    @property
    def kept(self) -> int:
        """Voxels that are left."""
        return self.drawn - sum(self.lost_to.values())


def unite(structures: Iterable[tuple[str, Structure]], shape_zyx: Shape, overlap: str) -> tuple[np.ndarray, dict]:
    """The classes 1, 2, … of the labels in their order, uint8 `[z, y, x]`, and a `Count` for each label.

    A voxel that several claim goes to the later label, or to the earlier one if `overlap` says so.
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
    """Sentences on the voxels that labels lose to others.

    Raises LabelError where a label loses all it had, and with `overlap` "refuse" where labels overlap at all.
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
