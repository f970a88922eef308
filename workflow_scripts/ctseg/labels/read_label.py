"""Read a label in any accepted format as classes on the grid of its image."""

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
    """Labels to read, their names and values in the file, and policies for unusual labels.

    `labels` has the value of each label in a label map; their order sets the classes 1, 2, … `roi_names` has the names
    of a label in its file, if they differ from its own name. With `missing_ok` a label may be missing. `min_readers`
    and `small_nodules` are passed to `lidc_xml`, `overlap` to `structures.unite`, `off_mm` as the allowed offset to
    `alignment.Tolerance`, `beyond` as the policy to `beyond_scan.require_inside`. `foreign_ok` allows labels of another
    patient or frame of reference. `dicom_scan` says that the grid has the rows and columns of DICOM files.
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
    dicom_scan: bool = False

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Names of the ROIs, segments or files of each label."""
        return {label: self.roi_names.get(label, (label,)) for label in self.labels}


@dataclass(frozen=True)
class Label(Volume):
    """Classes `[z, y, x]` (uint8, 0 background, n-th label n) with facts about their origin, in plain JSON types.

    In `facts`, `labels` has for each label its number of voxels, its voxels in the file (`drawn`) and its voxels lost
    to each other label (`lost_to`); `unused_values` has the voxels of each value without a label; `warnings` are
    sentences for the user.
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

    `path` is a label map (NIfTI, NRRD, MHA, MHD), a folder with one file of these formats for each label, an RTSTRUCT
    or DICOM SEG (or a folder with one), the XML of LIDC-IDRI, or the CSV of LUNA16, in which `series_uid` is the name
    of the scan. `relation` is `label_reference` of the image's facts: the patient, frames and series of the label,
    compared with the image.

    Raises LabelError if the label is not aligned with `grid` or was drawn on another image, a structure is missing or
    empty, a label loses all its voxels to others, or no voxel belongs to any label. Missing structures and empty labels
    are allowed with `missing_ok`.
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
    """Yield the structures one after the other; `kept` receives each of them without its mask, to save memory."""
    for label, structure in structures:
        yield label, structure
        kept[label] = Structure(np.zeros(0, dtype=bool), structure.facts, structure.warnings, structure.empty)


def _label_facts(count: Count, structure: Structure, grid: Grid) -> dict[str, Any]:
    volume_cm3 = rounded(count.kept * grid.voxel_volume_mm3 / 1000, 4)
    counts = {"voxels": count.kept, "volume_cm3": volume_cm3, "drawn": count.drawn, "lost_to": count.lost_to}
    return {**counts, **structure.facts}


def _require_structures(kept: Mapping[str, Structure], settings: LabelSettings, path: str) -> None:
    """Raise LabelError for an empty structure, unless `missing_ok`."""
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
    """Frames of reference that ROIs may have (empty: any), and warnings about the label's relation to the image."""
    if not relation:
        return (), []
    from ctseg.dicom.label_reference import Reference, read_reference, require_relation  # pydicom takes 0.3 s to import

    reference = read_reference(source) or Reference()
    told = require_relation(relation, reference.digest, settings.foreign_ok, str(source), image_name)
    frames = tuple(reference.frames[place] for place in relation["frames"] if place < len(reference.frames))
    return ((), told) if settings.foreign_ok else (frames, told)
