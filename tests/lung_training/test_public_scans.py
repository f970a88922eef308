import pytest

from ctseg.file_hash import sha256_of
from ctseg.lung_training.public_scans import CHESTS, WITHOUT_LUNGS
from places import ROOT
from real_data import real_data

SCANS = [*CHESTS, *WITHOUT_LUNGS]


@pytest.mark.realdata
@pytest.mark.parametrize("scan", SCANS, ids=lambda scan: scan.path)
def test_a_listed_scan_is_that_file(scan):
    assert sha256_of(real_data(scan.path)) == scan.sha256


@pytest.mark.parametrize("scan", SCANS, ids=lambda scan: scan.path)
def test_the_documentation_lists_each_scan_with_its_licence(scan):
    text = (ROOT / "docs" / "lung_field.md").read_text(encoding="utf-8")
    assert scan.sha256 in text
    assert scan.origin in text
    assert scan.licence in text
