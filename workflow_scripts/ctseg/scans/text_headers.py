"""Text headers of NRRD and MetaImage files, and what they state about the geometry.

ITK reads a file without a voxel size as 1 × 1 × 1 mm, a file without an orientation as LPS, and sizes in any unit as
mm. None of this can be told from the image that it returns, so the header is read for it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctseg.errors import InputError
from ctseg.file_types import volume_format

NRRD = b"NRRD000"
MOST_HEADER_BYTES = 2**20  # segmentations of 3D Slicer with a hundred segments have 50,000
# Spaces of NRRD that are the patient's, without blanks and hyphens. ITK ignores the directions of others, also of RAST.
PATIENT_SPACES = ("leftposteriorsuperior", "lps", "rightanteriorsuperior", "ras", "leftanteriorsuperior", "las")
# Field names of MetaImage that ITK takes; those of the size are listed in the order of their priority.
META_SIZES, META_MATRICES = ("ElementSpacing", "ElementSize"), ("TransformMatrix", "Rotation", "Orientation")
META_LPS = "RAI"  # names the sides from which the axes come, not those to which they point
OTHER_UNIT = re.compile(r"[munµ]m|m|in|inch(es)?|microns?|(centi|micro|nano)?met(er|re)s?|cm", re.IGNORECASE)
SIZE_FIELDS = {"NRRD": "spacings or space directions", "MetaImage": "ElementSpacing"}


@dataclass(frozen=True)
class Stated:
    """Whether a header states the voxel size of all three axes, and the orientation in the patient.

    `unit` is the unit of length that it states, if it is not mm.
    """

    voxel_size: bool
    orientation: bool
    unit: str = ""


def stated_geometry(path: Path) -> Stated:
    """What the header of a NRRD or MetaImage file states; of a file with other content nothing is missed."""
    with path.open("rb") as stream:
        head = stream.read(MOST_HEADER_BYTES)
    if head.startswith(NRRD):
        return nrrd_stated(nrrd_fields(head))
    if volume_format(path) == "MetaImage":
        return meta_image_stated(meta_image_fields(head))
    return Stated(voxel_size=True, orientation=True)


def require_voxel_size(path: Path) -> None:
    """Raise InputError if the header of a NRRD or MetaImage file does not state the size of its voxels in mm."""
    if fault := fault_of(stated_geometry(path), str(path), volume_format(path)):
        raise InputError(fault)


def fault_of(stated: Stated, name: str, kind: str) -> str:
    """Error message for a file `name` of format `kind`, NRRD or MetaImage, without sizes in mm; empty for another."""
    if not stated.voxel_size:
        return (
            f"{name} does not state its voxel size: its header lacks {SIZE_FIELDS[kind]} of the three axes; save it "
            "again with a program that writes them, or add them to the header in mm"
        )
    if stated.unit:
        return f"{name} has sizes in {stated.unit}, and programs read them as mm; save it again with sizes in mm"
    return ""


def nrrd_fields(head: bytes) -> dict[str, str]:
    """The fields of a NRRD header by their names in lower case: one `field: value` per line, up to an empty line."""
    text = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")
    pairs = [line.partition(":") for line in text.splitlines()[1:] if not line.startswith("#")]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def meta_image_fields(head: bytes) -> dict[str, str]:
    """The fields of a MetaImage header by their names: one `key = value` per line, up to `ElementDataFile`.

    Like ITK, it takes a colon for the equals sign, and only a line feed for the end of a line.
    """
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").split("\n"):
        key, *value = (part.strip() for part in re.split("[=:]", line, maxsplit=1))
        fields[key] = "".join(value)
        if key == "ElementDataFile":
            break
    return fields


def nrrd_stated(fields: Mapping[str, str]) -> Stated:
    """What the fields of a NRRD header state; axes of layers have neither size nor direction."""
    space = re.sub("[- ]", "", fields.get("space", "")).lower()
    directed = _axes(fields.get("space directions", fields.get("spacedirections", ""))) >= 3
    unit = _other_unit(f"{fields.get('space units', '')} {fields.get('units', '')}")
    return Stated(directed or _axes(fields.get("spacings", "")) >= 3, directed and space in PATIENT_SPACES, unit)


def _other_unit(text: str) -> str:
    """The first unit of length in a field, in quotes or not, that is not mm; empty without one."""
    units = (unit.strip('" ') for unit in re.findall(r'"[^"]*"|[^\s"]+', text))
    return next((unit for unit in units if OTHER_UNIT.fullmatch(unit) and unit.lower() != "mm"), "")


def _axes(text: str) -> int:
    """The number of axes with finite numbers in a field with a number, a vector in brackets or `none` for each axis."""
    return sum(_is_finite(one) for one in re.findall(r"\([^)]*\)|[^\s(]+", text))


def _is_finite(text: str) -> bool:
    """Whether a text is a finite number, or a vector of them in brackets."""
    try:
        return all(math.isfinite(float(number)) for number in text.strip("()").split(","))
    except ValueError:
        return False


def meta_image_stated(fields: Mapping[str, str]) -> Stated:
    """What the fields of a MetaImage header state; ITK ignores letters of an orientation that has no matrix."""
    oriented = any(key in fields for key in META_MATRICES) or fields.get("AnatomicalOrientation") == META_LPS
    return Stated(any(key in fields for key in META_SIZES), oriented, _other_unit(fields.get("DistanceUnits", "")))
