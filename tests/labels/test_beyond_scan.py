"""Parts of a structure outside the scan are cut and reported; a structure that is at least half outside is rejected."""

import math

import pytest

from ctseg.errors import InputError
from ctseg.labels.beyond_scan import POLICIES, Beyond, require_inside


def outcome(share: float, policy: str = "cut", parts: int = 2) -> list[str]:
    return require_inside(Beyond(parts, 7, "contours", share, 12.345), policy, "GTV", "image", "x 1…2", "x 3…4")


def test_nothing_is_said_of_what_lies_inside():
    for policy in POLICIES:
        assert outcome(0.0, policy, parts=0) == []


def test_what_is_cut_is_told():
    assert outcome(0.1) == [
        "2 of 7 contours reach beyond the scan, by up to 12.3 mm; the part beyond was cut (convert.beyond_scan)"
    ]
    assert outcome(0.1, parts=1)[0].startswith("1 of 7 contours reaches")


def test_nothing_is_cut_where_it_is_refused():
    with pytest.raises(InputError, match=r"GTV extends beyond image: 2 of 7 .* 10\.0% .* convert.beyond_scan: cut"):
        outcome(0.1, "refuse")


@pytest.mark.parametrize("share", [0.5, 1.0, math.nan])
@pytest.mark.parametrize("policy", POLICIES)
def test_half_of_a_structure_is_of_another_scan_whatever_the_policy(share, policy):
    with pytest.raises(InputError, match="GTV lies outside of image: contours over x 1…2, the image over x 3…4"):
        outcome(share, policy)
