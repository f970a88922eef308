"""Files with the voxels of scans and labels whose header is a file of its own (.mhd, .nhdr).

The workflow uses this module when it plans jobs: it opens headers only, and imports nothing that costs time.
"""

# Plain strings instead of Path: the paths of jobs' inputs are as the user wrote them.
# ruff: noqa: PTH113, PTH118, PTH120, PTH123

import os

from ctseg.scans.text_headers import MOST_HEADER_BYTES, NRRD, meta_image_fields, nrrd_fields

SUFFIXES = (".mhd", ".nhdr")
NAMES = ("ElementDataFile", "data file", "datafile")  # fields of MetaImage and of NRRD


def has_voxel_file(path: str) -> bool:
    """Whether a path has the name of a header whose voxels lie in another file."""
    return path.lower().endswith(SUFFIXES)


def voxel_file(path: str) -> str | None:
    """The file that a header names for its voxels.

    None if the path is not that of such a header, and if the header or the file cannot be read: the job that reads the
    scan says so. Also None for headers that name a list of files, as one for each slice.
    """
    if not has_voxel_file(path):
        return None
    try:
        with open(path, "rb") as stream:
            head = stream.read(MOST_HEADER_BYTES)
    except OSError:
        return None
    fields = nrrd_fields(head) if head.startswith(NRRD) else meta_image_fields(head)
    name = next((fields[name] for name in NAMES if fields.get(name)), "")
    found = os.path.join(os.path.dirname(path), name)
    return found if name and os.path.isfile(found) else None
