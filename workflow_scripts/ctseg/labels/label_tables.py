"""Names of the values in label maps.

3D Slicer writes a name, a value and a layer for each segment into the header of a `.seg.nrrd` file. TotalSegmentator,
Connectome Workbench and others write a label table into an extension of the NIfTI header (the XML of Caret).
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctseg.errors import LabelError
from ctseg.file_types import NIFTI_SUFFIXES, is_text
from ctseg.labels.structure_names import find_structures, quoted
from ctseg.plurals import listed
from ctseg.scans.nifti import nifti_extensions

MOST_VALUES = 10  # limit of the values in a message
SEGMENT_KEY = re.compile(r"Segment(\d{1,9})_(Name|LabelValue|Layer)")
LAYERED_SUFFIXES = (".nrrd", ".nhdr")
NO_NAME = re.compile(r"(segment|label|structure|roi)?[ _-]?\d*", re.IGNORECASE)  # default names of programs


@dataclass(frozen=True)
class Named:
    """A structure in a file: its name, value, and layer."""

    name: str
    value: int
    layer: int = 0


class Names(list[Named]):
    """The named structures of a file; `warnings` are sentences about names that cannot be read."""

    def __init__(self, named: Iterable[Named] = (), warnings: Sequence[str] = ()) -> None:
        """Keep the structures in their order."""
        super().__init__(named)
        self.warnings = tuple(warnings)


@dataclass(frozen=True)
class Values:
    """The (layer, value) pairs of each label in a label map, and warnings about them."""

    of_label: dict[str, list[tuple[int, int]]]
    warnings: tuple[str, ...] = ()


def names_in(path: Path) -> Names:
    """The named structures of a file; an empty list if it has no names.

    Names that are there and cannot be read are left out, with a warning. Raises InputError for a NIfTI file with a
    damaged header; the reader of the voxels reports other damage.
    """
    name = path.name.lower()
    if name.endswith(LAYERED_SUFFIXES):
        return _slicer_segments(path)
    return _nifti_tables(path) if name.endswith(NIFTI_SUFFIXES) else Names()


def values_of(
    named: Names,
    labels: Mapping[str, int],
    wanted: Mapping[str, Sequence[str]],
    path: str,
    missing_ok: bool = False,
) -> Values:
    """The values of each label: by the names in the file if it has them, else by the values of the config.

    `labels` are the config's values, `wanted` the names of each label. If the file names none of the labels and has one
    layer, the config's values are used. The warnings begin with those of `named`. Raises LabelError if a name fits
    several structures and, unless `missing_ok`, if a label is not named in a file that has several layers, or that
    names other labels and has another structure at the value of this label. With `missing_ok`, a label of this kind has
    no values.
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
        return Values({label: [] for label in labels}, named.warnings)
    if not any(places.values()):
        strange = [label for label, value in labels.items() if value in others]
        return Values(by_value, (*named.warnings, *([_named_otherwise(strange)] if strange else [])))
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
    return Values(found, (*named.warnings, *([told] if differing and not _layered(named) else [])))


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


def _slicer_segments(path: Path) -> Names:
    """Segments in the header of a NRRD file. Old versions of Slicer write no value: each segment has its own layer."""
    import SimpleITK as sitk  # 0.2 s to import, and most labels are not NRRD

    if not is_text(path):  # the reader of the voxels reports it
        return Names()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # a missing or damaged file, which the reader of the voxels reports
        return Names()
    segments: dict[int, dict[str, str]] = {}
    for key in reader.GetMetaDataKeys():
        if part := SEGMENT_KEY.fullmatch(key):
            segments.setdefault(int(part[1]), {})[part[2]] = reader.GetMetaData(key)
    return _numbered(
        (segment["Name"], segment.get("LabelValue", "1"), segment.get("Layer", str(number * (len(segment) == 1))))
        for number, segment in sorted(segments.items())
        if "Name" in segment
    )


def _nifti_tables(path: Path) -> Names:
    """The label tables in the extensions of a NIfTI header."""
    found, warnings = [], []
    for content in nifti_extensions(path):
        if b"<LabelTable" not in content:
            continue
        try:
            found += [((entry.text or "").strip(), entry.get("Key", ""), "0") for entry in _xml(content).iter("Label")]
        except (ET.ParseError, ValueError, LookupError) as error:  # the last two for an unknown encoding
            warnings.append(
                f"the table of names in the file cannot be read ({error}): left out; check that target.labels has the "
                "values of the file"
            )
    named = _numbered(entry for entry in found if entry[0])
    return Names((item for item in named if item.value), [*warnings, *named.warnings])


def _xml(content: bytes) -> ET.Element:
    """The root of XML in an extension. Raises ParseError or ValueError; entities are refused, since they can grow."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("it declares a document type or entities")
    return ET.fromstring(content[content.index(b"<") :].strip(b" \0\r\n"))


def _numbered(entries: Iterable[tuple[str, str, str]]) -> Names:
    """Structures from names, values and layers as text; those without whole numbers are left out, with a warning."""
    named, odd = [], []
    for name, value, layer in entries:
        try:
            named.append(Named(name, int(value), int(layer)))
        except ValueError:
            odd.append(quoted(name))
    what = listed([*odd[:MOST_VALUES], *(["…"] if len(odd) > MOST_VALUES else [])])
    told = (
        f"the file gives no whole number as value or layer of {what}: left out; check that target.labels has the "
        "values of the file"
    )
    return Names(named, [told] if odd else [])


def require_values(counts: Mapping[int, int], named: Sequence[Named], labels: Mapping[str, int], path: str) -> None:
    """Raise a LabelError that lists the values of a label map without any voxel of a label; always raises."""
    values = [shown(named, value) for value in sorted(counts)]
    there = listed([*values[:MOST_VALUES], *(["…"] if len(values) > MOST_VALUES else [])]) or "no value but 0"
    wanted = ", ".join(f"{label}: {value}" for label, value in labels.items())
    raise LabelError(
        f"{path} has no voxel of {', '.join(labels)}: it holds {there}, and target.labels is {{{wanted}}}; correct "
        "target.labels, or set convert.missing_label to allow if the case has no target"
    )
