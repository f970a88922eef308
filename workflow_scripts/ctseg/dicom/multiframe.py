"""Enhanced multi-frame CT: one file that holds a whole stack of slices (PS3.3 A.38, C.7.6.16)."""

from collections.abc import Iterator
from dataclasses import replace

import pydicom

from ctseg.dicom.header import TAGS, Header
from ctseg.errors import ScanError

RENAMED = {"FrameType": "ImageType", "FrameAcquisitionNumber": "AcquisitionNumber"}
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def frames_of(header: Header) -> list[Header]:
    """One header per frame of an enhanced CT; any other image is returned unchanged, as the only header.

    The functional groups of a frame are flattened, so that a frame reads like a file of its own. A multi-frame file
    without functional groups (a screen capture, a film) has no positions of its frames and stays whole. Raises
    ScanError for damaged groups.
    """
    frames = header.value("PerFrameFunctionalGroupsSequence")
    if header.text("Modality") != "CT" or not header.is_multiframe or not frames:
        return [header]
    try:
        return _laid_flat(header, frames)
    except Exception:  # a damaged group can make the parser fail in any way
        raise ScanError(f"{header.path} has damaged functional groups; copy it again from its source") from None


def _laid_flat(header: Header, frames: pydicom.Sequence) -> list[Header]:
    common = pydicom.Dataset()
    for element in header.dataset:
        if element.VR != "SQ":
            common.add(element)
    for group in header.value("SharedFunctionalGroupsSequence") or []:
        common.update(_elements(group))
    return [replace(header, dataset=_frame(common, group), frame=index) for index, group in enumerate(frames)]


def _frame(common: pydicom.Dataset, group: pydicom.Dataset) -> pydicom.Dataset:
    """The elements common to all frames, updated with those of one frame's group."""
    frame = pydicom.Dataset()
    frame.update(common)
    frame.update(_elements(group))
    return frame


def _elements(group: pydicom.Dataset) -> pydicom.Dataset:
    """The elements in `TAGS` of all macros of a functional group."""
    found = pydicom.Dataset()
    for keyword, value in _values(group):
        setattr(found, keyword, value)
    return found


def _values(group: pydicom.Dataset) -> Iterator[tuple[str, object]]:
    for macro in group:
        for element in macro.value[0] if macro.VR == "SQ" and macro.value else []:
            keyword = RENAMED.get(element.keyword, element.keyword)
            if keyword in TAGS and keyword not in GROUPS:
                yield keyword, element.value
