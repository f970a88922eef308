"""Scans that are given by paths on a command line, and the names of their results."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ctseg.errors import InputError, ScanError
from ctseg.file_types import NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file
from ctseg.folders import visible_paths, walk_files


def scans_in(path: Path) -> list[Path]:
    """The scans given by a path: the path itself, or the scans in a folder of scans.

    A folder with DICOM files is one scan. In any other folder each volume file is a scan, also in its subfolders, and
    each subfolder without volume files is taken for a folder of DICOM files.
    """
    if not path.is_dir() or any(map(_is_dicom, visible_paths(path))):
        return [path]
    return sorted(_below(path)) or [path]


def _below(folder: Path) -> Iterator[Path]:
    """The scans in a folder that is not a scan itself."""
    for child in visible_paths(folder):
        if child.is_dir():
            yield from [file for file in walk_files(child) if is_volume_file(file)] or [child]
        elif is_volume_file(child):
            yield child


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, damaged or not."""
    from ctseg.dicom.header import open_dicom  # pydicom takes 0.3 s to import

    if path.is_dir() or is_volume_file(path):
        return False
    try:
        return open_dicom(path, []) is not None
    except ScanError:
        return True


def names_of(scans: Sequence[Path]) -> list[str]:
    """Name of the results of each scan: its own name, with as many parent folders in front as make all names unique.

    Raises InputError if a scan is given twice, or if the names cannot be made unique.
    """
    places = [path.resolve() for path in scans]
    twice = next((scan for scan, place in zip(scans, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise InputError(f"the scan {twice} is given twice")
    for own_name in (without_volume_suffix, str):  # with the suffix if a scan exists in two formats
        parts = [(*place.parts[1:-1], own_name(place.name)) for place in places]
        for length in range(1, max(map(len, parts)) + 1):
            names = ["_".join(part[-length:]) for part in parts]
            if len(set(names)) == len(names):
                return names
    raise InputError(f"the results of {scans[0]} and others would have one name; give the scans one by one")


def without_volume_suffix(name: str) -> str:
    """The name of a file without the suffix of a volume format; any other name is unchanged."""
    for suffix in sorted(NIFTI_SUFFIXES + SITK_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
