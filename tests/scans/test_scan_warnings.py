"""Warnings about a scan for the user."""

import json

import pytest

from ctseg.scans.scan_warnings import KINDS, KNOWN, passed_over, scan_flags, warnings_of


def test_a_scan_without_anything_odd_gets_no_word():
    facts = dict.fromkeys(KNOWN, 0) | {"view": "axial", "hu_offset": 0, "jumps": [], "windowed": None}
    assert warnings_of(facts) == warnings_of({}) == []


@pytest.mark.parametrize("key", KNOWN)
def test_each_known_fact_is_told_alone_and_without_a_gap(key):
    [told] = warnings_of({key: 12.5})
    assert "{" not in told
    assert ("12.5" in told) == ("{}" in KNOWN[key])


@pytest.mark.parametrize("view", ["coronal", "sagittal", "oblique"])
def test_slices_of_another_view_are_told(view):
    assert warnings_of({"view": view}) == [
        f"the slices are not axial but {view}: make sure that this is the scan, not a reformat"
    ]


def test_images_that_were_left_out_are_counted():
    lost = [{"images": 1, "reason": "a damaged header"}, {"images": 12, "reason": "acquisition 2 of 2"}]
    assert warnings_of({"series": {"left_out": lost}}) == [
        "1 image of the series left out: a damaged header",
        "12 images of the series left out: acquisition 2 of 2",
    ]


@pytest.mark.parametrize(("offset", "words", "fix"), [(1024, "1024 too high", -1024), (-1000, "1000 too low", 1000)])
def test_an_offset_is_told_with_the_rescaling_that_undoes_it(offset, words, fix):
    [told] = warnings_of({"hu_offset": offset})
    assert words in told
    assert f"soft tissue lies near {offset + 30}" in told
    for advice in (f"convert.rescale: [1, {fix}]", f"--rescale 1 {fix}", f"?rescale=1,{fix}"):
        assert advice in told


@pytest.mark.parametrize(
    ("low", "high", "words"), [(-160, 240, "-160 and 240 HU"), (None, 240, "at 240 HU"), (-160, None, "at -160 HU")]
)
def test_a_window_is_told_with_the_ends_that_it_has(low, high, words):
    [told] = warnings_of({"windowed": {"low": low, "high": high, "share": 0.123}})
    assert words in told
    assert "12.3% of the voxels" in told


@pytest.mark.parametrize(("count", "places"), [(1, "1"), (4, "1, 2, 3, 4"), (6, "1, 2, 3, 4 and 2 more")])
def test_the_first_jumps_are_named(count, places):
    jumps = [{"after_slice": number, "hu": 500} for number in range(1, count + 1)]
    [told] = warnings_of({"jumps": jumps})
    assert told.endswith(f"jump by about 500 HU, after slice {places}")


def test_each_warning_has_a_kind_of_its_own_and_plain_values():
    facts = dict.fromkeys(KNOWN, 3) | {
        "view": "coronal",
        "series": {"left_out": [{"images": 2, "reason": "acquisition 2 of 2"}]},
        "hu_offset": 1024,
        "above_tissue": 0.1,
        "windowed": {"low": None, "high": 240, "share": 0.2},
        "jumps": [{"after_slice": 4, "hu": 500}],
    }
    flags = scan_flags(facts)
    assert sorted(flag.kind for flag in flags) == sorted(KINDS)
    assert [flag.text for flag in flags] == warnings_of(facts)
    assert json.loads(json.dumps([flag.as_dict() for flag in flags])) == [flag.as_dict() for flag in flags]


def test_what_lay_beside_the_scan_is_told():
    other = {"images": 3, "modality": "CT", "reason": "shorter"}
    assert passed_over({"series": {"others": [other]}}) == ["not used: 3 x CT: shorter"]
    assert passed_over({}) == []
