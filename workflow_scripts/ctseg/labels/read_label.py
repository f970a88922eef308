"""Reading labels in any of the accepted formats as classes on the grid of their image."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ctseg.digits import rounded
from ctseg.errors import LabelError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.formats import READERS, Asked, format_of
from ctseg.labels.structures import Count, Structure, require_kept, unite


@dataclass(frozen=True)
class LabelSettings:
    """What to look for in a label, and what to do about what is unusual.

    `labels` has the value of each label in a label map; their order sets the classes 1, 2, … `roi_names` has the names
    that a label has in its file, where they differ from its own. With `missing_ok` a label may be absent.
    `min_readers` and `small_nodules` are those of `lidc_xml`; `overlap` is that of `structures.unite`; `off_mm` is the
    distance that `alignment.Tolerance` allows; `beyond` the policy of `beyond_scan.require_inside`; `foreign_ok` allows
    labels of another patient or frame of reference.
    """

    labels: dict[str, int]
    roi_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing_ok: bool = False
    min_readers: int = 2
    small_nodules: str = "ignore"
    overlap: str = "later"
    off_mm: float | None = None
    beyond: str = "cut"
    foreign_ok: bool = False

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of each label's ROIs, segments or files."""
        return {label: self.roi_names.get(label, (label,)) for label in self.labels}


@dataclass(frozen=True)
class Label(Volume):
    """Classes (uint8, 0 background, n-th label n) with what is known of how they came about, in plain JSON types.

    `labels` has for each label the number of its voxels, of those that its file had (`drawn`) and of those that went to
    each other label (`lost_to`); `unused_values` the voxels by value of no label; `warnings` what a user should know.
    """

    facts: dict[str, Any] = field(default_factory=dict)


def read_label(
    path: str | Path,
    settings: LabelSettings,
    grid: Grid,
    image_name: str,
    series_uid: str | None = None,
    relation: Mapping[str, Any] | None = None,
) -> Label:
    """Read a label as uint8 classes `[z, y, x]` on the image's grid: 0 is background, the n-th label is n.

    `path` is a label map (NIfTI, NRRD, MHA, MHD), a folder with one such file for each label, an RTSTRUCT or DICOM SEG
    (or a folder with one), the XML of LIDC-IDRI, or the CSV of LUNA16, in which `series_uid` names the scan. `relation`
    is `label_reference` of the image's facts, which tells what the label was drawn on.

    Raises LabelError when the label does not lie on `grid` or was drawn on something else, a structure is not there or
    has nothing inside, a label loses all its voxels to others, or no voxel belongs to any label; absent structures and
    empty labels are allowed with `missing_ok`.
    """
    source = Path(path)
    if not source.exists():
        raise LabelError(f"{source} does not exist")
    own_frames, told = _related(source, settings, image_name, relation)
    name, place = format_of(source)
    found = READERS[name](place, Asked(settings, grid, image_name, series_uid, own_frames))
    kept: dict[str, Structure] = {}
    classes, counts = unite(_noted(found.structures, kept), grid.shape_zyx, settings.overlap)
    _require_structures(kept, settings, str(source))
    lost = require_kept(counts, settings.overlap, str(source))
    if not (settings.missing_ok or found.empty_ok or classes.any()):
        raise LabelError(
            f"{source} has no voxel of {', '.join(settings.labels)}: check target.labels, or set convert.missing_label "
            "to allow if the case has no target"
        )
    own = [f"{label}: {text}" for label, structure in kept.items() for text in structure.warnings]
    labels = {label: _label_facts(counts[label], structure, grid) for label, structure in kept.items()}
    facts = {"labels": labels, "unused_values": {}, **found.facts, "warnings": [*told, *found.warnings, *own, *lost]}
    return Label(classes, grid, facts)


def _noted(structures: Iterable[tuple[str, Structure]], kept: dict[str, Structure]) -> Iterator[tuple[str, Structure]]:
    """The structures one after the other; `kept` gets all of each but its voxels."""
    for label, structure in structures:
        yield label, structure
        kept[label] = Structure(np.zeros(0, dtype=bool), structure.facts, structure.warnings, structure.empty)


def _label_facts(count: Count, structure: Structure, grid: Grid) -> dict[str, Any]:
    volume_cm3 = rounded(count.kept * grid.voxel_volume_mm3 / 1000, 4)
    counts = {"voxels": count.kept, "volume_cm3": volume_cm3, "drawn": count.drawn, "lost_to": count.lost_to}
    return {**counts, **structure.facts}


def _require_structures(kept: Mapping[str, Structure], settings: LabelSettings, path: str) -> None:
    """Raise InputError for a label whose structure is in the file and has nothing inside."""
    empty = {label: structure.empty for label, structure in kept.items() if structure.empty}
    if empty and not settings.missing_ok:
        label, why = next(iter(empty.items()))
        raise LabelError(
            f"{path}: {label} has no area to fill: {why}; draw it, or set convert.missing_label to allow if "
            f"cases may be without {label}"
        )


def _related(
    source: Path, settings: LabelSettings, image_name: str, relation: Mapping[str, Any] | None
) -> tuple[tuple[str, ...], list[str]]:
    """The frames of reference that ROIs may name, any if it is empty, and sentences on what the label was drawn on."""
    if not relation:
        return (), []
    from ctseg.dicom.label_reference import Reference, read_reference, require_relation  # pydicom takes 0.3 s to import

    reference = read_reference(source) or Reference()
    told = require_relation(relation, reference.digest, settings.foreign_ok, str(source), image_name)
    frames = tuple(reference.frames[place] for place in relation["frames"] if place < len(reference.frames))
    return ((), told) if settings.foreign_ok else (frames, told)
