"""NRRD and MetaImage files with header lines of one's own."""

import numpy as np

LPS = "space: left-posterior-superior"
DIRECTIONS = "space directions: (0.7,0,0) (0,0.8,0) (0,0,5)"
IDENTITY = "1 0 0 0 1 0 0 0 1"


def write_nrrd(path, voxels_zyx, *lines, end="\n"):
    """Write a NRRD file with further lines in its header; a first axis of a 4-D array holds layers."""
    voxels = np.asarray(voxels_zyx, "<i2")
    voxels = np.moveaxis(voxels, 0, -1) if voxels.ndim == 4 else voxels
    sizes = " ".join(map(str, voxels.shape[::-1]))
    head = ["NRRD0004", "type: short", f"dimension: {voxels.ndim}", f"sizes: {sizes}", "endian: little"]
    path.write_bytes(end.join([*head, "encoding: raw", *lines, "", ""]).encode() + voxels.tobytes())
    return path


def write_meta_image(path, voxels_zyx, *lines):
    """Write a .mha file, or a .mhd file with the voxels in a .raw file, with further lines in its header."""
    voxels = np.asarray(voxels_zyx, "<i2")
    place = "LOCAL" if path.suffix == ".mha" else path.with_suffix(".raw").name
    head = ["ObjectType = Image", "NDims = 3", f"DimSize = {' '.join(map(str, voxels.shape[::-1]))}"]
    head += ["ElementType = MET_SHORT", "BinaryDataByteOrderMSB = False", *lines, f"ElementDataFile = {place}", ""]
    text = "\n".join(head).encode("latin-1")
    if path.suffix == ".mha":
        path.write_bytes(text + voxels.tobytes())
    else:
        path.write_bytes(text)
        path.with_suffix(".raw").write_bytes(voxels.tobytes())
    return path
