"""Names of the values in label maps.

3D Slicer writes a name, a value and a layer for each segment into the header of a `.seg.nrrd` file. TotalSegmentator,
Connectome Workbench and others write a label table into an extension of the NIfTI header (the XML of Caret).
"""

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctseg.errors import LabelError
from ctseg.file_types import NIFTI_SUFFIXES
from ctseg.labels.structure_names import find_structures, quoted
from ctseg.plurals import listed

MOST_VALUES = 10  # limit of the values in a message
SEGMENT_KEY = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer)")
LAYERED_SUFFIXES = (".nrrd", ".nhdr")
NO_NAME = re.compile(r"(segment|label|structure|roi)?[ _-]?\d*", re.IGNORECASE)  # default names of programs


@dataclass(frozen=True)
class Named:
    """A structure in a file: its name, value, and layer."""

    name: str
    value: int
    layer: int = 0


@dataclass(frozen=True)
class Values:
    """The (layer, value) pairs of each label in a label map, and warnings about them."""

    of_label: dict[str, list[tuple[int, int]]]
    warnings: tuple[str, ...] = ()


def names_in(path: Path) -> list[Named]:
    """The named structures of a file; an empty list if it has no names or cannot be read."""
    name = path.name.lower()
    with contextlib.suppress(Exception):  # the reader of the voxels reports a damaged file
        if name.endswith(LAYERED_SUFFIXES):
            return _slicer_segments(path)
        if name.endswith(NIFTI_SUFFIXES):
            return _nifti_table(path)
    return []


def values_of(
    named: Sequence[Named],
    labels: Mapping[str, int],
    wanted: Mapping[str, Sequence[str]],
    path: str,
    missing_ok: bool = False,
) -> Values:
    """The values of each label: by the names in the file if it has them, else by the values of the config.

    `labels` are the config's values, `wanted` the names of each label. If the file names none of the labels and has one
    layer, the config's values are used. Raises LabelError if a name fits several structures and, unless `missing_ok`,
    if a label is not named in a file that has several layers, or that names other labels and has another structure at
    the value of this label. With `missing_ok`, a label of this kind has no values.
    """
    places = {
        label: find_structures([item.name for item in named], patterns, path, "segment", True, label)
        for label, patterns in wanted.items()
    }
    by_value = {label: [(0, value)] for label, value in labels.items()}
    others = {item.value: item.name for item in named if not NO_NAME.fullmatch(item.name.strip())}
    if not any(places.values()) and _layered(named):  # a value may mean another structure in each layer
        for label, patterns in wanted.items():
            find_structures([item.name for item in named], patterns, path, "segment", missing_ok, label)
        return Values({label: [] for label in labels})
    if not any(places.values()):
        strange = [label for label, value in labels.items() if value in others]
        return Values(by_value, (_named_otherwise(strange),) if strange else ())
    found, differing = {}, []
    for label, value in labels.items():
        if places[label]:
            found[label] = [(named[place].layer, named[place].value) for place in places[label]]
            if {own for _, own in found[label]} != {value}:
                differing.append(label)
        elif value in others or _layered(named):
            find_structures([item.name for item in named], wanted[label], path, "segment", missing_ok, label)
            found[label] = []
        else:
            found[label] = by_value[label]
    told = f"{', '.join(differing)}: the file gives other values than target.labels; its own names were taken"
    return Values(found, (told,) if differing and not _layered(named) else ())


def shown(named: Sequence[Named], value: int) -> str:
    """A value with its names in the file, for messages."""
    names = [quoted(item.name) for item in named if item.value == value]
    return f"{value} ({', '.join(names)})" if names else str(value)


def _layered(named: Sequence[Named]) -> bool:
    """Whether the structures are in several layers."""
    return any(item.layer for item in named)


def _named_otherwise(labels: Sequence[str]) -> str:
    return (
        f"the file has other names for the values of {', '.join(labels)}; the values of target.labels were taken: "
        "check them, or set target.roi_names to the file's names"
    )


def _slicer_segments(path: Path) -> list[Named]:
    """Segments in the header of a NRRD file. Old versions of Slicer write no value: each segment has its own layer."""
    import SimpleITK as sitk  # 0.2 s to import, and most labels are not NRRD

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    segments: dict[int, dict[str, str]] = {}
    for key in reader.GetMetaDataKeys():
        if part := SEGMENT_KEY.fullmatch(key):
            segments.setdefault(int(part[1]), {})[part[2]] = reader.GetMetaData(key)
    return [
        Named(
            segment["Name"], int(segment.get("LabelValue", 1)), int(segment.get("Layer", number * (len(segment) == 1)))
        )
        for number, segment in sorted(segments.items())
        if "Name" in segment
    ]


def _nifti_table(path: Path) -> list[Named]:
    """The label table in the extensions of a NIfTI header."""
    import nibabel as nib

    found = []
    for extension in nib.load(path).header.extensions:  # type: ignore[attr-defined]
        content = extension.get_content()
        text = content if isinstance(content, bytes) else str(content).encode()
        if b"<LabelTable" not in text or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            continue
        entries = ET.fromstring(text[text.index(b"<") :].strip(b" \0\r\n")).iter("Label")
        found += [Named((entry.text or "").strip(), int(entry.attrib["Key"])) for entry in entries]
    return [item for item in found if item.name and item.value]


def require_values(counts: Mapping[int, int], named: Sequence[Named], labels: Mapping[str, int], path: str) -> None:
    """Raise a LabelError that lists the values of a label map without any voxel of a label; always raises."""
    values = [shown(named, value) for value in sorted(counts)]
    there = listed([*values[:MOST_VALUES], *(["…"] if len(values) > MOST_VALUES else [])]) or "no value but 0"
    wanted = ", ".join(f"{label}: {value}" for label, value in labels.items())
    raise LabelError(
        f"{path} has no voxel of {', '.join(labels)}: it holds {there}, and target.labels is {{{wanted}}}; correct "
        "target.labels, or set convert.missing_label to allow if the case has no target"
    )
