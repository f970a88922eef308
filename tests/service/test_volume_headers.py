"""NRRD and MetaImage uploads must contain their own voxels and be within the limits."""

import numpy as np
import pytest
import SimpleITK as sitk

from ctseg.errors import InputError
from ctseg.geometry.resample import to_sitk
from ctseg.scans.read_scan import read_scan
from serving import volume_headers
from serving.refused import Refused
from serving.settings import Settings
from serving.uploads import unpack
from serving.volume_headers import volume_header


def upload(folder, content):
    (folder / "upload").write_bytes(content)
    return folder / "upload"


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [False, True])
def test_an_upload_is_read_as_the_file_itself(suffix, compressed, scan, tmp_path):
    sitk.WriteImage(to_sitk(scan[0]), str(tmp_path / f"scan{suffix}"), compressed)
    path = unpack(upload(tmp_path, (tmp_path / f"scan{suffix}").read_bytes()), Settings())
    assert path.suffix == suffix
    found = read_scan(path).volume
    np.testing.assert_array_equal(found.voxels_zyx, scan[0].voxels_zyx)
    assert found.grid.matches(scan[0].grid)
    assert not (tmp_path / "upload").exists()


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sizes_are_those_that_are_stored(kind, suffix, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6), kind)), str(tmp_path / f"a{suffix}"))
    header = volume_header(tmp_path / f"a{suffix}")
    assert (header.suffix, header.sizes) == (suffix, (6, 5, 4))
    assert header.total_bytes == 120 * np.dtype(kind).itemsize


NRRD = "NRRD0004\ntype: {type}\ndimension: 3\nsizes: {sizes}\nencoding: raw\n{more}\n"
META = "ObjectType = Image\nNDims = 3\nDimSize = {sizes}\nElementType = {type}\nElementDataFile = {file}\n"


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (NRRD.format(type="short", sizes="9 9 9", more="data file: /etc/passwd\n"), 422, "another file"),
        (NRRD.format(type="short", sizes="9 9 9", more="datafile: /etc/passwd\n"), 422, "another file"),
        (NRRD.format(type="short", sizes="9 9 9", more="Data File: LIST\n"), 422, "another file"),
        (META.format(type="MET_SHORT", sizes="9 9 9", file="/etc/passwd"), 422, "another file"),
        (META.format(type="MET_SHORT", sizes="9 9 9", file="LIST"), 422, "another file"),
        (NRRD.format(type="short", sizes="4000 4000 4000", more=""), 413, "larger than"),
        (META.format(type="MET_SHORT", sizes="900 900 900", file="LOCAL"), 413, "no scan is"),
        (NRRD.format(type="short", sizes="9 9", more=""), 422, "no single 3-D"),
        (NRRD.format(type="short", sizes="9 0 9", more=""), 422, "no single 3-D"),
        (NRRD.format(type="block", sizes="9 9 9", more=""), 422, "damaged"),
        (NRRD.format(type="short", sizes="a b c", more=""), 422, "damaged"),
        (META.format(type="MET_OTHER", sizes="9 9 9", file="LOCAL"), 422, "damaged"),
        ("ObjectType = Image\n", 422, "damaged"),
        (
            NRRD.format(type="short", sizes="9 9 9", more=""),
            422,
            "upload does not state its voxel size: .* spacings or",
        ),
        (
            META.format(type="MET_SHORT", sizes="9 9 9", file="LOCAL"),
            422,
            "upload does not state its .* ElementSpacing",
        ),
        (NRRD.format(type="short", sizes="9 9 9", more="# no end").rstrip(), 422, "damaged"),
    ],
)
def test_headers_that_are_dangerous_or_useless_are_refused(text, status, message, tmp_path):
    with pytest.raises(Refused, match=message) as caught:
        unpack(upload(tmp_path, text.encode() + bytes(2000)), Settings())
    assert caught.value.status == status


HIDDEN = [
    b"ElementDataFile: {other}\nElementDataFile = LOCAL\n",  # a colon is an equals sign
    b"Comment = a\x85ElementDataFile = LOCAL\nElementDataFile = {other}\n",  # no end of a line for ITK
    b"Comment = a\x0cElementDataFile = LOCAL\nElementDataFile = {other}\n",
    b"Comment = a\rElementDataFile = LOCAL\nElementDataFile = {other}\n",
    b"Foo\nElementDataFile = LOCAL\nElementDataFile = {other}\n",  # a key of two lines
    b"Offset = 0 0\nElementDataFile = LOCAL\nElementDataFile = {other}\n",  # the third number is taken from below
    b"Foo\nElementDataFile = LOCAL\n" + b"Comment = x\n" * 100_000 + b"ElementDataFile = {other}\n",
]


@pytest.mark.parametrize("lines", HIDDEN, ids=range(len(HIDDEN)))
def test_a_name_of_another_file_that_only_itk_would_see_is_refused(lines, tmp_path):
    """ITK opens the other file in each case; for an upload, it would be one of the server."""
    other = tmp_path / "other.raw"
    other.write_bytes(np.full(27, 7, "<i2").tobytes())
    head = b"ObjectType = Image\nNDims = 3\nDimSize = 3 3 3\nElementType = MET_SHORT\nElementSpacing = 1 1 1\n"
    path = upload(tmp_path, head + lines.replace(b"{other}", bytes(other)) + bytes(54))
    seen = sitk.ReadImage(str(path.rename(tmp_path / "seen.mha")))
    assert (sitk.GetArrayFromImage(seen) == 7).all()
    (tmp_path / "seen.mha").rename(path)
    with pytest.raises(Refused, match=r"names another file|damaged") as caught:
        unpack(path, Settings())
    assert caught.value.status == 422


def test_sizes_that_only_itk_would_see_are_refused(tmp_path):
    head = META.format(type="MET_SHORT", sizes="900 900 900", file="LOCAL").replace("ElementType", "{}\nElementType")
    for line in ("Foo\nDimSize = 3 3 3", "DimSize = 3 3 3", "Comment = DimSize = 3 3 3"):
        with pytest.raises(Refused, match="damaged"):
            unpack(upload(tmp_path, head.format(line).encode() + bytes(54)), Settings())


def test_a_word_is_found_across_the_pieces_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_headers, "PIECE_BYTES", 16)
    for before in range(40):
        path = upload(tmp_path, b"x" * before + b"ElementDataFile" + b"x" * 20)
        assert volume_headers._mentions(path, b"ElementDataFile") == 1
        path = upload(tmp_path, path.read_bytes() + b"ElementDataFile")
        assert volume_headers._mentions(path, b"ElementDataFile") == 2


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_long_header_is_read(scan, suffix, tmp_path):
    """Segmentations of 3D Slicer with a hundred segments."""
    image = to_sitk(scan[0])
    for number in range(200):
        image.SetMetaData(f"Segment{number}_Tags", "x" * 500)
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    assert volume_header(tmp_path / f"a{suffix}").stated.voxel_size


def test_another_file_has_no_such_header(tmp_path):
    assert volume_header(upload(tmp_path, b"Dear colleague")) is None


def test_a_cut_file_is_told(scan, tmp_path):
    sitk.WriteImage(to_sitk(scan[0]), str(tmp_path / "scan.nrrd"))
    path = unpack(upload(tmp_path, (tmp_path / "scan.nrrd").read_bytes()[:-5000]), Settings())
    with pytest.raises(InputError, match="cut"):
        read_scan(path)
