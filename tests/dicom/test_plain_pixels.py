"""Stored values of uncompressed slices equal those of pydicom; some files are read that pydicom cannot read."""

import numpy as np
import pytest
from pydicom import uid
from pydicom.pixels import pixel_array

from ctseg.dicom.header import read_header
from ctseg.dicom.slice import _stored_values, parse_slice
from ctseg.geometry.volume import Grid
from dicom_files import ct_slice, write

SYNTAXES = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
GRID = Grid((1, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def written(path, kind, syntax, **elements):
    """Write a DICOM file with values of type `kind`; return path and values [y, x]."""
    stored = np.arange(-15, 15).astype(kind).reshape(5, 6)
    dataset = ct_slice(stored, GRID, 0, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = stored.astype(np.dtype(kind).newbyteorder(">")).tobytes()
    return write(dataset, path), stored


def read(path):
    """Stored values [y, x] read by ctseg."""
    return _stored_values(parse_slice(read_header(path)))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_values_are_those_of_pydicom(tmp_path, kind, syntax):
    path, stored = written(tmp_path / "a.dcm", kind, syntax)
    np.testing.assert_array_equal(read(path), stored)
    np.testing.assert_array_equal(read(path), pixel_array(path))


def test_bits_that_are_not_stored_are_dropped_as_by_pydicom(tmp_path):
    path, _ = written(tmp_path / "a.dcm", "i2", uid.ExplicitVRLittleEndian, BitsStored=4, HighBit=3)
    np.testing.assert_array_equal(read(path), pixel_array(path))


@pytest.mark.filterwarnings("ignore:Expected explicit VR")
@pytest.mark.parametrize("case", ["deflated", "without a transfer syntax"])
def test_files_that_pydicom_does_not_read_are_read(tmp_path, case):
    deflated = case == "deflated"
    syntax = uid.DeflatedExplicitVRLittleEndian if deflated else uid.ExplicitVRLittleEndian
    path, stored = written(tmp_path / "a.dcm", "i2", syntax)
    if not deflated:  # the element stays, with an unknown tag
        path.write_bytes(path.read_bytes().replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI"))
    with pytest.raises((AttributeError, KeyError, ValueError, RuntimeError)):
        pixel_array(path)
    np.testing.assert_array_equal(read(path), stored)
