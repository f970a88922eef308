"""The first bytes of an XML file of LIDC-IDRI name its series."""

import pytest

from ctseg.dicom.lidc_header import HEADER_BYTES, SERIES_UID, X_RAY, head_of

UID = b"1.3.6.1.4.1.14519.5.2.1.6279.6001.17"


@pytest.mark.parametrize(
    "text",
    [
        b"<SeriesInstanceUid>" + UID + b"</SeriesInstanceUid>",
        b"<SeriesInstanceUID>" + UID + b"</SeriesInstanceUID>",
        b"<ns1:SeriesInstanceUid>\n  %s\n</ns1:SeriesInstanceUid>" % UID,
    ],
)
def test_the_series_is_found_however_it_is_written(text):
    assert SERIES_UID.findall(b"<StudyInstanceUID>1.2</StudyInstanceUID>" + text) == [UID]


@pytest.mark.parametrize("text", [b"<SeriesInstanceUid></SeriesInstanceUid>", b"<SeriesInstanceUid>none</S>", b""])
def test_no_series_is_found_where_none_is_named(text):
    assert SERIES_UID.search(text) is None


def test_an_x_ray_is_told_by_the_root_of_its_file():
    assert X_RAY in b'<?xml version="1.0"?><IdriReadMessage uid="1">'
    assert X_RAY not in b'<?xml version="1.0"?><LidcReadMessage uid="1">'


def test_only_the_beginning_of_a_file_is_read(tmp_path):
    path = tmp_path / "069.xml"
    path.write_bytes(b"<a>" + b"x" * 3 * HEADER_BYTES)
    assert head_of(path) == path.read_bytes()[:HEADER_BYTES]
    path.write_bytes(b"short")
    assert head_of(path) == b"short"


def test_what_cannot_be_read_has_no_beginning(tmp_path):
    assert head_of(tmp_path / "missing.xml") == head_of(tmp_path) == b""
